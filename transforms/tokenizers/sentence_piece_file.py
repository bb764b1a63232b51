"""Edit the pieces of a SentencePiece model without its protobuf classes.

The classes that the package ships refuse to load beside the protobuf that Beam brings. The layout
is that of `sentencepiece_model.proto`: ModelProto.pieces is field 1, a message whose field 1 is the
piece and field 3 its type; of a field that stands twice the last counts (protobuf's encoding).
"""

from __future__ import annotations

from collections.abc import Iterator, Set

_PIECE_TAG = 0x0A  # field 1, with a length
_AS_CONTROL = bytes((0x18, 3))  # field 3, a varint: CONTROL


def with_control_pieces(model: bytes, pieces: Set[str]) -> bytes:
    """The model with some pieces flagged as control, so that no text gives them.

    Args:
        model: as it lies in the file, whole.
        pieces: which.
    """
    wanted = {_head(piece.encode()) for piece in pieces}
    parts = []
    for tag, body, raw in _fields(model):
        is_wanted = tag == _PIECE_TAG and any(body.startswith(head) for head in wanted)
        parts.append(_message(_PIECE_TAG, body + _AS_CONTROL) if is_wanted else raw)
    return b"".join(parts)


def _head(piece: bytes) -> bytes:
    """How the message of a piece begins."""
    return _message(_PIECE_TAG, piece)


def _message(tag: int, body: bytes) -> bytes:
    return bytes((tag,)) + _varint(len(body)) + body


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first.

    >>> list(_varint(300))
    [172, 2]
    """
    low, rest = number & 0x7F, number >> 7
    return bytes((low | 0x80,)) + _varint(rest) if rest else bytes((low,))


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Tag, body and all bytes of each field; the fields of a model all have a length."""
    at = 0
    while at < len(message):
        begin = at
        tag, at = _read_varint(message, at)
        length, at = _read_varint(message, at)
        at += length
        yield tag, message[at - length : at], message[begin:at]


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    """A number, and where it ends."""
    number = shift = 0
    while True:
        byte = message[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
