"""Errors of parallel files that do not fit each other."""

from collections.abc import Sequence


class MisalignedFiles(ValueError):  # noqa: N818
    """Line-aligned files have different numbers of lines, so that no pairing can be trusted.

    Attributes:
        paths: The files.
        counts: Their numbers of lines.
    """

    def __init__(self, paths: Sequence[str], counts: Sequence[int]) -> None:
        super().__init__(tuple(paths), tuple(counts))
        self.paths = tuple(paths)
        self.counts = tuple(counts)

    def __str__(self) -> str:
        files = ", ".join(
            f"{path} has {count:,}" for path, count in zip(self.paths, self.counts, strict=True)
        )
        return f"the files are not line-aligned: {files} lines; which lines belong together is lost"
