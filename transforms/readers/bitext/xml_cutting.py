"""XML cut at the elements that hold units, without parsing what lies between.

A parser of the whole file stops at its first fault. Here the stream is cut at ``<tu`` and
``</tu>``, each unit is parsed for itself, and after a bad one the next is read. That also bounds
the memory, gives byte offsets, and lets a file be read from its middle. It is sound because ``<``
stands in the text of XML only inside comments and CDATA sections, which are recognised.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from glotmill.transforms.readers.records import EXCERPT_BYTES, FileProblem, Reject, excerpt

MAX_SECTION = 4 << 20
"""A comment or CDATA section that is longer is taken for one that was never closed."""

_TOKEN = 16  # bytes within which any token can be recognised
_MAX_GAP = 1 << 16
_MAX_TAG = 1 << 16
_NOISE = re.compile(rb"<[^<>]*>")
_TAG = re.compile(rb"<(?:[^<>\"']|\"[^<\"]*\"|'[^<']*')*>")


@dataclass(frozen=True)
class Markup:
    """What is cut, and how.

    Attributes:
        unit: Name of the element that holds a unit.
        inner: Names of elements that cannot stand outside one; where they do, something is lost.
        root: Name of the element that must be closed at the end of the file; empty if any may be.
        allows_text: Whether text may stand between units without a reject.
        group: Name of the element around units whose start tag says how they are read, if any.
    """

    unit: str
    inner: tuple[str, ...]
    root: str
    allows_text: bool = False
    group: str = ""

    @property
    def tokens(self) -> re.Pattern[bytes]:
        """A pattern for the beginnings of tags and sections."""
        name, group = re.escape(self.unit).encode(), re.escape(self.group).encode()
        groups = rb"(/?%b(?=[\s/>]))|" % group if group else b""
        unit = rb"(%b(?=[\s/>]))|(/%b(?=[\s>]))|" % (name, name)
        return re.compile(rb"<(?:" + unit + groups + rb"!--|!\[CDATA\[)")

    @property
    def lost(self) -> re.Pattern[bytes]:
        """A pattern for what cannot stand outside a unit."""
        names = b"".join(b"<%b[\\s/>]|" % re.escape(name).encode() for name in self.inner)
        return re.compile(names + rb"</%b[\s>]" % re.escape(self.unit).encode())


@dataclass
class CutBlock:
    """Units that follow each other, and rejects of the same stretch.

    Attributes:
        units: Whole elements, from ``<`` to ``>``.
        offsets: Where each starts in the stream.
        groups: The last tag before each of them of the element `Markup.group`; empty where there
            is none. A start tag that cannot be read, and an end tag, have no attributes.
        rejects: What could not be cut.
    """

    units: list[bytes] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    groups: list[bytes] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


class Cutter:
    """Cuts chunks of one slice into units, holding no more than one of the allowed length."""

    def __init__(
        self, markup: Markup, *, position: int, start: int, end: int | None, limit: int
    ) -> None:
        self._markup = markup
        self._tokens = markup.tokens
        self._lost = markup.lost
        self._base = position  # offset of the first byte held
        self._start, self._end, self._limit = start, end, limit
        self._max_section = min(MAX_SECTION, limit)
        self._held = b""
        self._scanned = 0
        self._absent = {b"-->": 0, b"]]>": 0}  # offsets before which no such end is left
        self._open: int | None = None  # where in the held bytes the current unit starts
        self._is_skipping = False  # inside a unit that is too long
        self._is_ours = start == 0  # false until the first unit of the slice
        self._gap = 0  # where in the held bytes the gap starts
        self._gap_head = b""
        self._gap_offset = position
        self._group = b""  # the last tag of a group
        self._unit_group = b""  # that before the current unit
        self._block = CutBlock()
        self.is_done = False

    def feed(self, chunk: bytes) -> CutBlock:
        """Take the next bytes; return the units they complete."""
        self._held = self._held + chunk if self._held else chunk
        self._scan(len(self._held) - _TOKEN, is_last=False)
        self._check_length()
        self._drop()
        return self._take()

    def finish(self, problem: FileProblem | None = None) -> CutBlock:
        """Return what is left when the stream ends, or breaks."""
        if not self.is_done:
            self._scan(len(self._held), is_last=True)
        if not self.is_done and self._is_ours:
            self._end_of_stream(problem)
        return self._take()

    def _take(self) -> CutBlock:
        block, self._block = self._block, CutBlock()
        return block

    def _reject(self, begin: int, end: int, reason: str, detail: str) -> None:
        data = self._held[begin : min(end, begin + EXCERPT_BYTES)]
        self._block.rejects.append(Reject(self._base + begin, reason, detail, excerpt(data)))

    def _scan(self, stop: int, *, is_last: bool) -> None:
        """Go through the tokens that start before ``stop``."""
        while not self.is_done and self._scanned < stop:
            begin, is_waiting = self._scanned, False
            for token in self._tokens.finditer(self._held, begin):
                at = token.start()
                if at >= stop:
                    break
                if token.lastindex == 1:
                    self._on_open(at)
                elif token.lastindex == 2:
                    after = self._held.find(b">", at) + 1
                    if not after and not is_last:
                        is_waiting = True
                        break
                    self._on_close(at, after or len(self._held))
                elif token.lastindex == 3:
                    after = self._end_of_tag(at, is_last=is_last)
                    if not after:
                        is_waiting = True
                        break
                    # Wherever it stands: the unit around it was never closed.
                    self._group = self._held[at:after]
                else:
                    after = self._end_of_section(at, token.end(), is_last=is_last)
                    is_waiting = not after
                    self._pass_comment(at, after)
                    break
                if self.is_done:
                    return
            else:
                self._scanned = stop
                return
            if at >= stop:
                self._scanned = stop
                return
            self._scanned = at if is_waiting else after
            if is_waiting:
                return

    def _end_of_tag(self, at: int, *, is_last: bool) -> int:
        """Return where a tag ends, or what could be one; 0 if that is not yet known."""
        limit = at + _MAX_TAG
        if (tag := _TAG.match(self._held, at, limit)) is not None:
            return tag.end()
        if (after := self._held.find(b"<", at + 1, limit)) >= 0:
            return after
        is_known = is_last or len(self._held) >= limit
        return min(len(self._held), limit) if is_known else 0

    def _end_of_section(self, at: int, begin: int, *, is_last: bool) -> int:
        """Return where a comment or CDATA section ends; 0 if that is not yet known."""
        closing = b"]]>" if self._held[at + 2 : at + 3] == b"[" else b"-->"
        # What an earlier search has covered is not searched again.
        first = max(begin, self._absent[closing] - self._base - len(closing) + 1)
        found = self._held.find(closing, first, at + self._max_section)
        if found >= 0:
            return found + len(closing)
        if not is_last and len(self._held) < at + self._max_section:
            return 0
        # Of several in one stretch without an end the first is reported.
        is_first = self._base + at >= self._absent[closing]
        searched = min(len(self._held), at + self._max_section)
        self._absent[closing] = max(self._absent[closing], self._base + searched)
        if is_first and self._base + at >= self._start:
            kind = "CDATA section" if closing == b"]]>" else "comment"
            detail = f"a {kind} is not closed within {self._max_section} bytes; it is passed over"
            self._reject(at, len(self._held), "unclosed_section", detail)
        return begin

    def _pass_comment(self, at: int, after: int) -> None:
        """Leave a comment between units out of what is looked at there."""
        is_gap = self._is_ours and self._open is None and not self._is_skipping
        if is_gap and self._held[after - 3 : after] == b"-->":
            self._keep_gap(at)
            self._gap = after

    def _keep_gap(self, end: int) -> None:
        """Keep the beginning of a gap while its bytes are dropped."""
        room = max(0, _MAX_GAP - len(self._gap_head))
        self._gap_head += self._held[self._gap : end][:room]

    def _on_open(self, at: int) -> None:
        offset = self._base + at
        if offset < self._start:
            return
        if self._is_ours:
            if self._open is not None:
                self._on_unclosed(at)
            elif not self._is_skipping:
                self._end_gap(at)
        else:
            self._gap_head, self._gap, self._gap_offset = b"", at, offset
        if self._end is not None and offset >= self._end:
            self.is_done = True
            return
        self._is_ours, self._is_skipping, self._open = True, False, at
        self._unit_group = self._group

    def _on_close(self, at: int, after: int) -> None:
        if self._open is None:
            if self._is_skipping:
                self._is_skipping = False
                self._begin_gap(after)
            return
        begin, self._open = self._open, None
        if after - begin > self._limit:
            self._too_long(begin, after, after - begin)
        else:
            self._add(begin, after)
        self._begin_gap(after)

    def _add(self, begin: int, after: int) -> None:
        block = self._block
        block.units.append(self._held[begin:after])
        block.offsets.append(self._base + begin)
        block.groups.append(self._unit_group)

    def _on_unclosed(self, at: int) -> None:
        """Handle a unit that has no end before the next begins; it may be an empty element."""
        begin = self._open or 0
        tag_end = self._held.find(b">", begin, at) + 1
        if tag_end and self._held[tag_end - 2 : tag_end] == b"/>":
            self._add(begin, tag_end)
            self._begin_gap(tag_end)
            self._end_gap(at)
            return
        self._begin_gap(at)
        if at - begin > self._limit:
            self._too_long(begin, at, at - begin)
            return
        name = self._markup.unit
        detail = f"<{name}> is not closed before the next <{name}> ({at - begin} bytes on)"
        self._reject(begin, at, "unclosed_unit", detail)

    def _too_long(self, begin: int, end: int, size: int | None = None) -> None:
        length = f"{size} bytes" if size else f"more than {self._limit} bytes"
        detail = f"{length}; the limit (max_record_bytes) is {self._limit}"
        self._reject(begin, end, "record_too_long", detail)

    def _check_length(self) -> None:
        """Give up a unit that is already too long."""
        if self._open is not None and len(self._held) - self._open > self._limit + _TOKEN:
            self._too_long(self._open, len(self._held))
            self._open, self._is_skipping = None, True
            self._gap_head, self._gap = b"", len(self._held)

    def _begin_gap(self, at: int) -> None:
        self._gap, self._gap_offset, self._gap_head = at, self._base + at, b""

    def _end_gap(self, at: int) -> None:
        """Look at what stands between units."""
        gap = self._gap_head + self._held[self._gap : at]
        self._gap_head, self._gap = b"", at
        if gap and not gap.isspace():
            self._check_gap(gap)

    def _check_gap(self, gap: bytes) -> None:
        markup = self._markup
        lost = self._lost.search(gap)
        if lost is None and not markup.allows_text and self._gap_offset > 0:
            lost = re.search(rb"\S", _NOISE.sub(b"", gap))
        if lost is not None:
            detail = f"content outside of <{markup.unit}> (in {len(gap)} bytes between units)"
            place = self._gap_offset + len(gap) - len(gap.lstrip())
            text = excerpt(gap.strip()[:EXCERPT_BYTES])
            self._block.rejects.append(Reject(place, "stray_content", detail, text))

    def _drop(self) -> None:
        """Forget what is not needed any more."""
        keep = max(0, min(self._scanned, len(self._held)))
        if self._open is not None:
            keep = min(keep, self._open)
        elif self._is_ours and not self._is_skipping and self._gap < keep:
            self._keep_gap(keep)
        self._gap = max(self._gap, keep) - keep
        if self._open is not None:
            self._open -= keep
        self._held = self._held[keep:]
        self._base += keep
        self._scanned -= keep

    def _end_of_stream(self, problem: FileProblem | None) -> None:
        size = len(self._held)
        tail = b"" if self._is_skipping else self._gap_head + self._held[self._gap :]
        if self._open is not None:
            begin = self._open
            tag_end = self._held.find(b">", begin) + 1
            if self._held[tag_end - 2 : tag_end] == b"/>":
                self._add(begin, tag_end)
                self._begin_gap(tag_end)
                tail = self._held[tag_end:]
            else:
                self._reject(begin, size, *self._cut_reason(problem))
                return
        if problem is not None:
            self._reject(size, size, problem.reason, problem.detail)
            return
        root = self._markup.root.encode()
        if tail.strip():
            self._check_gap(tail)
        if root and not re.search(rb"</(?:[\w.-]+:)?%b\s*>" % root, tail):
            detail = f"the file ends without </{self._markup.root}>; it may have been cut"
            self._reject(size, size, "truncated_file", detail)

    def _cut_reason(self, problem: FileProblem | None) -> tuple[str, str]:
        if problem is not None:
            return problem.reason, problem.detail
        return "truncated_file", f"the file ends inside <{self._markup.unit}>"


def cut(
    chunks: Iterator[bytes],
    markup: Markup,
    *,
    position: int,
    start: int,
    end: int | None,
    limit: int,
    locate: Callable[[int], int] = int,
) -> Iterator[CutBlock]:
    """Cut a stream into the units that start in a slice.

    Args:
        chunks: The bytes, UTF-8 or another encoding in which ASCII is itself. `FileProblem`
            raised by it ends in one reject.
        markup: What is cut.
        position: Offset of the first byte; `MAX_SECTION` before ``start``, so that a comment or
            CDATA section that reaches into the slice is seen, or 0.
        start: First byte of the slice.
        end: Byte after it, or None for the end of the file.
        limit: Bytes of a unit, at most.
        locate: Turns an offset in the chunks into one in the file, where they differ.

    Yields:
        Blocks of units. Rejects have the reasons ``unclosed_unit``, ``unclosed_section``,
        ``record_too_long``, ``stray_content`` (what lies between units and belongs in one),
        ``truncated_file`` and those of streams.
    """
    cutter = Cutter(markup, position=position, start=start, end=end, limit=limit)

    def located(block: CutBlock) -> CutBlock:
        if locate is not int:
            block.offsets = [locate(offset) for offset in block.offsets]
            block.rejects = [
                Reject(locate(r.offset), r.reason, r.detail, r.excerpt) for r in block.rejects
            ]
        return block

    try:
        for chunk in chunks:
            yield located(cutter.feed(chunk))
            if cutter.is_done:
                return
    except FileProblem as problem:
        yield located(cutter.finish(problem))
    else:
        yield located(cutter.finish())
