"""Command `glotmill near`: which bands and rows find what."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from glotmill.pipelines.errors import UserError
from glotmill.schemas.recipe import Near

_SIMILARITIES = (0.5, 0.6, 0.7, 0.8, 0.9)
# FineWeb2's banding, beside the recipe's default.
_KNOWN = ((14, 8),)


def best_banding(similarity: float, permutations: int) -> tuple[int, int]:
    """Bands and rows that err least about which pairs have a similarity, by datasketch.

    Args:
        similarity: Jaccard similarity in (0, 1) that divides near duplicates from others.
        permutations: values in a signature that may be used, at most.

    Raises:
        UserError: datasketch is not installed, or finds no two bands.
    """
    try:
        from datasketch import MinHashLSH
    except ImportError:
        raise UserError("install glotmill[near], which brings datasketch") from None
    try:
        found = MinHashLSH(threshold=similarity, num_perm=permutations)
    except ValueError as error:
        raise UserError(f"no banding for these: {error}") from None
    return found.b, found.r


def share_found(similarity: float, bands: int, rows: int) -> float:
    """Probability that a pair of this Jaccard similarity agrees in a band at least.

    1 - (1 - J^rows)^bands; Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", 3.4.2.

    >>> round(share_found(0.7, 20, 5), 3)
    0.975
    """
    return 1 - (1 - similarity**rows) ** bands


def print_bandings(console: Console, similarity: float, permutations: int) -> None:
    """Prints the best banding beside known ones, with the share of pairs that each brings together.

    Raises:
        UserError: there is none.
    """
    best = best_banding(similarity, permutations)
    default = Near()
    table = Table(title="Pairs that are compared, by their similarity", title_justify="left")
    for name in ("bands", "rows", "values", *(f"{value:g}" for value in _SIMILARITIES)):
        table.add_column(name, justify="right")
    for bands, rows in dict.fromkeys([best, (default.bands, default.rows), *_KNOWN]):
        shares = (f"{share_found(value, bands, rows):.1%}" for value in _SIMILARITIES)
        table.add_row(str(bands), str(rows), str(bands * rows), *shares)
    console.print(table)
    bands, rows = best
    console.print(
        f"errs least about {similarity:g} with {permutations} values: "
        f"deduplicate: {{near: {{bands: {bands}, rows: {rows}}}}}",
        markup=False,
    )
    console.print(
        "pairs that are compared in vain count like those that are missed there; 'verify' passes "
        "over them, so that more bands of fewer rows find more and cost little",
        markup=False,
    )
