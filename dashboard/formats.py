"""Numbers as a person reads them."""

from __future__ import annotations

_SIZES = ("B", "kB", "MB", "GB", "TB", "PB")
_COUNTS = ("", "k", "M", "bn", "tn")
_SMALL_PERCENT = 0.05
# From how many seconds on a unit of time is used, and how many it has.
_LONGER_THAN_SECONDS = ((172_800, 86_400, "days"), (3_600, 3_600, "h"), (60, 60, "min"))


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


def duration(seconds: float) -> str:
    """A time in seconds, minutes, hours or days, three digits.

    >>> duration(0.0643), duration(59), duration(400), duration(5_000), duration(3e6)
    ('0.0643 s', '59 s', '6.67 min', '1.39 h', '34.7 days')
    """
    for least, length, unit in _LONGER_THAN_SECONDS:
        if seconds >= least:
            return f"{seconds / length:,.3g} {unit}"
    return f"{seconds:.3g} s"


def times(value: float) -> str:
    """How often something is drawn.

    >>> times(0.5), times(2.34567)
    ('0.5×', '2.35×')
    """
    return f"{value:.3g}×" if value < 100 else f"{value:,.0f}×"
