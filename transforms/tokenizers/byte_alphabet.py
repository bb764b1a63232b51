"""The characters with which byte-level tokenizers write bytes (GPT-2's `bytes_to_unicode`)."""

from __future__ import annotations

_PRINTED = (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))
_SHIFTED = [byte for byte in range(256) if byte not in set(_PRINTED)]

#: The character of each byte.
ALPHABET = {byte: chr(byte) for byte in _PRINTED} | {
    byte: chr(0x100 + i) for i, byte in enumerate(_SHIFTED)
}
_BYTES = {ord(character): byte for byte, character in ALPHABET.items()}


def bytes_of(piece: str) -> bytes | None:
    """The bytes that a piece stands for, None where it has other characters.

    >>> bytes_of("Ġthe"), bytes_of("▁the")
    (b' the', None)
    """
    try:
        return bytes([_BYTES[ord(character)] for character in piece])
    except KeyError:
        return None
