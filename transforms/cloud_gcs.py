"""Google Cloud Storage, by its own client."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import requests
from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage as gcs
from google.cloud.storage.fileio import BlobWriter
from google.cloud.storage.retry import DEFAULT_RETRY

from glotmill.transforms import cloud
from glotmill.transforms.cloud import ChangedMeanwhile, StoredObject, StoreError, split_uri

_NUM_CONNECTIONS = 8
_KINDS: tuple[tuple[type[Exception], type[OSError]], ...] = (
    (exceptions.NotFound, FileNotFoundError),
    (exceptions.PreconditionFailed, ChangedMeanwhile),
    (exceptions.Forbidden, PermissionError),
    (exceptions.Unauthorized, PermissionError),
    (exceptions.GoogleAPIError, StoreError),
    (GoogleAuthError, StoreError),
    (requests.RequestException, StoreError),
)
_FAULTS = tuple(theirs for theirs, _ in _KINDS)
_FIELDS = "items(name,size,crc32c,generation),nextPageToken"


class GoogleStore:
    """Objects of any bucket the default credentials may use."""

    def __init__(self) -> None:
        """Makes the client; `STORAGE_EMULATOR_HOST` names another server than Google's."""
        with _told("Google Cloud Storage"):
            self._client = gcs.Client(project=None)

    def find(self, path: str) -> StoredObject | None:
        """The object, if it exists."""
        bucket, name = split_uri(path)
        with _told(path):
            blob = self._client.bucket(bucket).get_blob(name, **_patience())
        return None if blob is None else _described(path, blob)

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """All objects whose URI begins with a prefix."""
        bucket, name = split_uri(prefix)
        with _told(prefix):
            for blob in self._client.list_blobs(bucket, prefix=name, fields=_FIELDS, **_patience()):
                yield _described(f"gs://{bucket}/{blob.name}", blob)

    def read(self, stored: StoredObject, start: int, end: int) -> bytes:
        """Bytes of an object as it is stored, `end` excluded."""
        with _told(stored.path):
            return self._blob(stored.path).download_as_bytes(
                start=start,
                end=end - 1,
                raw_download=True,
                checksum=None,  # there is none of a part
                if_generation_match=int(stored.version),
                **_patience(),
            )

    def put(self, path: str, content: bytes, replaces: str | None) -> str:
        """Writes an object; gives its generation."""
        blob = self._blob(path)
        with _told(path):
            blob.upload_from_string(
                content,
                content_type="application/octet-stream",
                checksum="crc32c",
                if_generation_match=None if replaces is None else int(replaces or 0),
                **_patience(),
            )
        return str(blob.generation)

    def upload(self, path: str) -> cloud.Upload:
        """Begins a resumable upload."""
        return _Resumable(path, self._blob(path))

    def delete(self, paths: Sequence[str]) -> None:
        """Deletes objects, some at a time."""
        with ThreadPoolExecutor(_NUM_CONNECTIONS) as pool:
            for _ in pool.map(self._delete, paths):
                pass

    def _delete(self, path: str) -> None:
        with suppress(FileNotFoundError), _told(path):
            self._blob(path).delete(**_patience())

    def _blob(self, path: str) -> gcs.Blob:
        bucket, name = split_uri(path)
        return self._client.bucket(bucket).blob(name)


class _Resumable:
    """A resumable upload: the object appears when its last part is sent."""

    def __init__(self, path: str, blob: gcs.Blob) -> None:
        self._path = path
        self._writer = BlobWriter(blob, chunk_size=cloud.PART_BYTES, **_patience())

    def send(self, part: bytes) -> None:
        with _told(self._path):
            self._writer.write(part)

    def finish(self) -> None:
        with _told(self._path):
            self._writer.close()

    def abort(self) -> None:
        with suppress(OSError), _told(self._path):
            self._writer.terminate()


def _patience() -> dict[str, Any]:
    retry = DEFAULT_RETRY.with_timeout(cloud.PATIENCE_SECONDS)
    return {
        "retry": retry.with_delay(initial=cloud.FIRST_WAIT_SECONDS),
        "timeout": (cloud.CONNECT_SECONDS, cloud.REQUEST_SECONDS),
    }


def _described(path: str, blob: gcs.Blob) -> StoredObject:
    return StoredObject(path, int(blob.size), str(blob.crc32c), str(blob.generation))


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Turns the client's errors into ours, which name the object."""
    try:
        yield
    except _FAULTS as error:
        ours = next(ours for theirs, ours in _KINDS if isinstance(error, theirs))
        raise ours(f"{path}: {error}") from error
