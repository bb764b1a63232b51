"""Numbers as a person reads them."""

from __future__ import annotations

_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")
_COUNTS = ("", "k", "M", "bn", "tn")
_SMALL_PERCENT = 0.05


def number(value: float) -> str:
    """All digits, grouped by thousands; six of a fraction.

    >>> number(1234567), number(1e9), number(0.5)
    ('1,234,567', '1,000,000,000', '0.5')
    """
    return f"{int(value):,}" if value == int(value) else f"{value:,.6g}"


def _scaled(value: float, units: tuple[str, ...]) -> str:
    power = 0
    while value >= 999.5 and power < len(units) - 1:
        value, power = value / 1000, power + 1
    digits = f"{value:.0f}" if power == 0 or value >= 99.5 else f"{value:.3g}"
    return f"{digits} {units[power]}".rstrip()


def size(num_bytes: int) -> str:
    """Bytes in decimal units, three digits.

    >>> size(999), size(1500), size(12_345_678)
    ('999 B', '1.5 kB', '12.3 MB')
    """
    return _scaled(num_bytes, _SIZES)


def compact(value: int) -> str:
    """A count with three digits.

    >>> compact(987), compact(1_234_567)
    ('987', '1.23 M')
    """
    return _scaled(value, _COUNTS)


def percent(value: float) -> str:
    """A share in percent, one decimal; what is there is never shown as 0.

    >>> percent(0.1234), percent(0), percent(0.0001)
    ('12.3%', '0%', '<0.1%')
    """
    if value <= 0:
        return "0%"
    return "<0.1%" if value * 100 < _SMALL_PERCENT else f"{value * 100:.1f}%"


def times(value: float) -> str:
    """How often something is drawn.

    >>> times(0.5), times(2.34567)
    ('0.5×', '2.35×')
    """
    return f"{value:.3g}×" if value < 100 else f"{value:,.0f}×"
