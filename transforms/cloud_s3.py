"""S3, by boto3; `AWS_ENDPOINT_URL_S3` names another server that speaks it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate, count
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from glotmill.transforms import cloud
from glotmill.transforms.cloud import ChangedMeanwhile, StoredObject, StoreError, split_uri

# The client waits up to the first before its second try, twice as long before each next, and never
# longer than the other (`ExponentialBackoff` of botocore; in older versions, and where a store says
# that it is asked too often, the first is 1 s).
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.05, 20.0
_NUM_READS = 5
_NUM_DELETED_AT_ONCE = 1000
_KINDS: dict[int, type[OSError]] = {
    401: PermissionError,
    403: PermissionError,
    404: FileNotFoundError,
    409: ChangedMeanwhile,  # two conditional writes at once
    412: ChangedMeanwhile,
}


class S3Store:
    """Objects of any bucket the default credentials may use."""

    def __init__(self) -> None:
        """Makes the client."""
        tries = _num_tries(cloud.PATIENCE_SECONDS)
        with _told("S3"):
            self._client = boto3.client(
                "s3",
                config=Config(
                    retries={"mode": "standard", "total_max_attempts": tries},
                    connect_timeout=cloud.CONNECT_SECONDS,
                    read_timeout=cloud.REQUEST_SECONDS,
                ),
            )

    def find(self, path: str) -> StoredObject | None:
        """The object, if it exists."""
        try:
            with _told(path):
                head = self._client.head_object(**_key(path))
        except FileNotFoundError:
            return None
        return StoredObject(path, head["ContentLength"], head["ETag"], head["ETag"])

    def list(self, prefix: str) -> Iterator[StoredObject]:
        """All objects whose URI begins with a prefix."""
        bucket, name = split_uri(prefix)
        with _told(prefix):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=bucket, Prefix=name):
                for each in page.get("Contents", ()):
                    path = f"s3://{bucket}/{each['Key']}"
                    yield StoredObject(path, each["Size"], each["ETag"], each["ETag"])

    def read(self, stored: StoredObject, start: int, end: int) -> bytes:
        """Bytes of an object, `end` excluded.

        The client tries a request again, but not the body of its answer.

        Raises:
            ChangedMeanwhile: it is another version now.
        """
        for _ in range(_NUM_READS - 1):
            with suppress(StoreError):
                return self._read(stored, start, end)
        return self._read(stored, start, end)

    def _read(self, stored: StoredObject, start: int, end: int) -> bytes:
        wanted = f"bytes={start}-{end - 1}"
        with _told(stored.path):
            answer = self._client.get_object(
                **_key(stored.path), Range=wanted, IfMatch=stored.version
            )
            return bytes(answer["Body"].read())

    def put(self, path: str, content: bytes, replaces: str | None) -> str:
        """Writes an object; gives its ETag."""
        condition: dict[str, str] = {}
        if replaces is not None:
            condition = {"IfMatch": replaces} if replaces else {"IfNoneMatch": "*"}
        with _told(path):
            answer = self._client.put_object(**_key(path), Body=content, **condition)
        return str(answer["ETag"])

    def upload(self, path: str) -> cloud.Upload:
        """Begins a multipart upload."""
        return _Multipart(self._client, path)

    def delete(self, paths: Sequence[str]) -> None:
        """Deletes objects, many in one request."""
        by_bucket: dict[str, list[str]] = {}
        for path in paths:
            bucket, name = split_uri(path)
            by_bucket.setdefault(bucket, []).append(name)
        for bucket, names in by_bucket.items():
            for start in range(0, len(names), _NUM_DELETED_AT_ONCE):
                self._delete(bucket, names[start : start + _NUM_DELETED_AT_ONCE])

    def _delete(self, bucket: str, names: Sequence[str]) -> None:
        request = {"Objects": [{"Key": name} for name in names], "Quiet": True}
        with _told(f"s3://{bucket}"):
            answer = self._client.delete_objects(Bucket=bucket, Delete=request)
        for failed in answer.get("Errors", ()):
            message = f"s3://{bucket}/{failed['Key']} was not deleted: {failed['Message']}"
            raise StoreError(message)


class _Multipart:
    """A multipart upload: the object appears when it is completed."""

    def __init__(self, client: Any, path: str) -> None:
        self._client, self._path = client, path
        self._parts: list[dict[str, object]] = []
        with _told(path):
            begun = client.create_multipart_upload(**_key(path))
        self._key = {**_key(path), "UploadId": begun["UploadId"]}

    def send(self, part: bytes) -> None:
        number = len(self._parts) + 1
        with _told(self._path):
            answer = self._client.upload_part(**self._key, PartNumber=number, Body=part)
        self._parts.append({"PartNumber": number, "ETag": answer["ETag"]})

    def finish(self) -> None:
        with _told(self._path):
            self._client.complete_multipart_upload(
                **self._key, MultipartUpload={"Parts": self._parts}
            )

    def abort(self) -> None:
        with suppress(OSError), _told(self._path):
            self._client.abort_multipart_upload(**self._key)


def _num_tries(seconds: float) -> int:
    """Tries between which the client waits at least so long in all, on average.

    >>> [_num_tries(seconds) for seconds in (1, 20, 300)]
    [7, 11, 39]
    """
    waits = (min(_FIRST_WAIT_SECONDS * 2**i, _LONGEST_WAIT_SECONDS) / 2 for i in count())
    return next(n for n, waited in enumerate(accumulate(waits), 2) if waited >= seconds)


def _key(path: str) -> dict[str, str]:
    bucket, name = split_uri(path)
    return {"Bucket": bucket, "Key": name}


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Turns the client's errors into ours, which name the object."""
    try:
        yield
    except ClientError as error:
        raise _ours(path, error) from error
    except (BotoCoreError, HTTPClientError) as error:
        raise StoreError(f"{path}: {error}") from error


def _ours(path: str, error: ClientError) -> OSError:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return _KINDS.get(status, StoreError)(f"{path}: {error}")
