"""A trace for people, and for programs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from glotmill.dashboard.samples import printable, readable
from glotmill.pipelines.trace_model import Copy, Drawable, Fate, Kept, Origin, Span, Trace
from glotmill.schemas.wording import counted

_MOST_COPIES = 8
_UNITS = {"bytes": "byte", "rows": "row", "messages": "message"}
#: A name, and what is told under it.
Line = tuple[str, Text]


def trace_json(trace: Trace) -> str:
    """The trace as JSON, with all fields of `trace_model`."""
    return orjson.dumps(asdict(trace), option=orjson.OPT_INDENT_2).decode()


def print_trace(console: Console, trace: Trace) -> None:
    """Prints a trace: a block for each span or document, then what was not found."""
    console.print(Text(printable(trace.asked), style="bold"))
    for span in trace.spans:
        _print_block(console, _span_title(span), _span_lines(span))
    for fate in trace.documents:
        _print_block(console, _fate_title(fate), _fate_lines(fate))
    for note in trace.notes:
        console.print(Text(f"note: {printable(note)}", style="yellow"))


def _print_block(console: Console, title: Text, lines: Iterable[Line]) -> None:
    console.print()
    console.print(title)
    if not console.is_terminal:
        for name, told in lines:
            console.print(Text(f"  {name:<10}") + Text(told.plain.replace("\n", "; ")))
        return
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold", ratio=1)
    for name, told in lines:
        grid.add_row(f"  {name}", told)
    console.print(grid, soft_wrap=False)


def _title(parts: Iterable[str | None], outcome: str = "") -> Text:
    shown = [printable(part) for part in parts if part]
    title = Text(" · ".join(shown), style="bold cyan")
    return title.append(f"  {outcome}", style="bold magenta") if outcome else title


# ------------------------------------------------------------------ spans


def _span_title(span: Span) -> Text:
    name = span.origin.external_id if span.origin else None
    return _title([name, span.label, span.category])


def _span_lines(span: Span) -> Iterator[Line]:
    text = Text(readable_end(span.before), style="dim")
    text.append(readable(span.text), style="bold reverse").append(readable(span.after))
    yield "text", text
    what = "document" if span.copy is not None else "sequence"
    place = f"{span.file}, {what} {span.place:,}, from token {span.position:,}"
    yield "tokens", Text(f"{_part(span)}; {place}")
    if span.rows:
        rows = ", ".join(f"{row:,}" for row in span.rows[:_MOST_COPIES])
        yield "shard", Text(f"{span.shard}, row {rows}")
    if span.copy is not None:
        yield "copy", Text(f"{span.copy}")
    yield from _origin_lines(span.origin)
    yield "hash", Text(span.content_hash)


def _part(span: Span) -> str:
    whole = "" if span.num_document_tokens is None else f" of {span.num_document_tokens:,}"
    if span.first is None:
        return f"{span.num_tokens:,}{whole}"
    last = span.first + span.num_tokens - 1
    return f"{span.first:,} to {last:,}{whole}"


def readable_end(text: str) -> str:
    """The end of a text as one short line."""
    return readable(text[::-1])[::-1]


def _origin_lines(origin: Origin | None) -> Iterator[Line]:
    if origin is None:
        return
    yield "source", Text(printable(f"{origin.source}, licence {origin.licence or 'unknown'}"))
    place = f"{_UNITS[origin.counted_in]} {origin.offset:,}"
    if origin.counted_in == "bytes":
        place += " of its content"
    yield "read from", Text(printable(f"{origin.path}, {place}"))
    if origin.input and origin.input != origin.path:
        yield "", Text(printable(origin.input), style="dim")
    if origin.url:
        yield "url", Text(printable(origin.url))


# -------------------------------------------------------------- documents


def _fate_title(fate: Fate) -> Text:
    name = fate.origin.external_id if fate.origin else None
    return _title([name, fate.label, fate.category], fate.outcome.replace("_", " "))


def _fate_lines(fate: Fate) -> Iterator[Line]:
    yield "text", Text(readable(fate.text) or "(empty)")
    yield from _origin_lines(fate.origin)
    if fate.num_bytes is not None:
        verdict = f", {fate.verdict}" if fate.verdict else ""
        yield "has", Text(f"{fate.num_bytes:,} bytes{verdict}")
    if fate.content_hash:
        yield "hash", Text(fate.content_hash)
    if fate.reason or fate.detail:
        told = "; ".join(each for each in (fate.reason.replace("_", " "), fate.detail) if each)
        yield fate.outcome.replace("_", " "), Text(printable(told), style="red")
    if fate.cluster_size > 1:
        yield "cluster", Text(f"of {fate.cluster_size:,} duplicates")
    if fate.outcome == "removed":
        yield "in place", _kept(fate.kept)
    for drawable in fate.drawables:
        yield from _drawable_lines(fate, drawable)


def _kept(kept: Kept | None) -> Text:
    if kept is None:
        return Text("of a document in another run, which is not there any more", style="yellow")
    name = f"{kept.external_id}, " if kept.external_id else ""
    where = f" of {kept.corpus}" if kept.corpus else ""
    place = f"{name}{kept.label}, {kept.source}: {kept.path}, {kept.offset:,}{where}"
    return Text(printable(f"{place}; --hash {kept.content_hash}"))


def _drawable_lines(fate: Fate, drawable: Drawable) -> Iterator[Line]:
    if fate.category == "bitext":
        other = ", written the other way round too" if drawable.again else ""
        told = f"{counted(drawable.num_pairs, 'pair')}{other}; --hash {drawable.content_hash}"
        yield "document", Text(told)
    rank = f"its draw is {drawable.draw:.6f}"
    if drawable.held_out:
        times = f", {_times(drawable)}" if drawable.decided else ""
        yield "held out", Text(f"for validation{times}")
    elif not drawable.decided:
        yield "drawn", Text(f"not decided yet; {rank}")
    elif drawable.rate is not None:
        yield "drawn", Text(f"{_times(drawable)}; the rate is {drawable.rate:.6g}, {rank}")
    else:
        yield "drawn", Text(f"{_times(drawable)}; {rank}, and its label has no rate")
    for copy in drawable.copies[:_MOST_COPIES]:
        yield f"copy {copy.copy}", _copy(copy)
    more = len(drawable.copies) - _MOST_COPIES
    if more > 0:
        yield "", Text(f"and {more:,} more copies; --json has them all", style="dim")


def _times(drawable: Drawable) -> str:
    count = len(drawable.copies)
    return {0: "not at all", 1: "once"}.get(count, f"{count:,} times")


def _copy(copy: Copy) -> Text:
    told = Text(f"{copy.shard}, row {copy.row:,}" if copy.row is not None else "")
    if copy.row is None:
        told.append(f"should be in {copy.shard}, and was not found", style="red")
    if copy.dataset is not None:
        told.append(f"\n{copy.dataset}, document {copy.document:,}")
    if copy.first_token is not None and copy.num_tokens is not None:
        last = copy.first_token + copy.num_tokens - 1
        told.append(f", tokens {copy.first_token:,} to {last:,}")
    if copy.sequences:
        rows = ", ".join(f"{row:,}" for row in copy.sequences[:_MOST_COPIES])
        told.append(f"\n{copy.packed}, sequence {rows}")
    return told
