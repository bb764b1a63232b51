"""What kind of file it is, from its first bytes."""

from glotmill.transforms.readers.decompress import ByteStream
from glotmill.transforms.readers.records import FileProblem

BOM = b"\xef\xbb\xbf"
HEAD = 1 << 12
_SEPARATOR_HEAD = 1 << 20
_MAX_NUL_SHARE = 0.25

# UTF-32LE begins with the mark of UTF-16LE and so comes first.
_OTHER_MARKS = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_OTHER_FORMATS = (
    (b"PAR1", "a Parquet file", "set format: parquet"),
    (b"ARROW1", "an Arrow file", "convert it to Parquet or JSON lines"),
    (b"Obj\x01", "an Avro file", "convert it to Parquet or JSON lines"),
    (b"PK\x03\x04", "a ZIP archive", "unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it first"),
    (b"Rar!\x1a\x07", "a RAR archive", "unpack it first"),
    (b"\x04\x22\x4d\x18", "an LZ4 stream", "recompress it with zstd or gzip"),
    (b"\xff\x06\0\0sNaPpY", "a Snappy stream", "recompress it with zstd or gzip"),
    (b"%PDF-", "a PDF", "extract its text first"),
)


def check_is_text(head: bytes) -> None:
    """Refuse a file that is another encoding or format as a whole.

    Only the first 4 KiB count, however much of the file is at hand.

    Raises:
        FileProblem: With reason ``not_utf8`` or ``not_text`` and what to do.
    """
    head = head[:HEAD]
    for mark, encoding in _OTHER_MARKS:
        if head.startswith(mark):
            raise _not_utf8(f"{encoding} (BOM)", encoding)
    for signature, name, advice in _OTHER_FORMATS:
        if head.startswith(signature):
            raise FileProblem("not_text", f"the file is {name}; {advice}")
    if head[257:262] == b"ustar":
        raise FileProblem("not_text", "the file is a tar archive; unpack it first")
    if head.count(0) > _MAX_NUL_SHARE * len(head):
        raise _not_utf8("many zero bytes, probably UTF-16 or UTF-32 without a BOM", "UTF-16")


def _not_utf8(found: str, encoding: str) -> FileProblem:
    advice = f"convert the file: iconv -f {encoding} -t UTF-8 FILE"
    return FileProblem("not_utf8", f"{found}; {advice}")


def separator_of(stream: ByteStream) -> bytes:
    """Return what ends a line: a carriage return if the first MiB has these and no line feed."""
    head = stream.peek(HEAD)
    if b"\n" not in head:
        head = stream.peek(_SEPARATOR_HEAD)
    head = head[:_SEPARATOR_HEAD]
    return b"\r" if b"\r" in head and b"\n" not in head else b"\n"
