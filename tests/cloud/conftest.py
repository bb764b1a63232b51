"""Stores of their own for each test, and credentials of nobody."""

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from object_stores import Proxy, google_store, no_fault, s3_store, service_account, token_server

from glotmill.transforms import cloud

BUCKET = "corpora"


@pytest.fixture(scope="session")
def google_server() -> Iterator[Proxy]:
    pytest.importorskip("google.cloud.storage", reason="the extra gcp is not installed")
    pytest.importorskip("gcp_storage_emulator", reason="the extra test-cloud is not installed")
    with google_store(BUCKET) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Proxy]:
    pytest.importorskip("boto3", reason="the extra aws is not installed")
    pytest.importorskip("moto.server", reason="the extra test-cloud is not installed")
    with s3_store(BUCKET) as proxy:
        yield proxy


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Patience of seconds instead of minutes."""
    monkeypatch.setattr(cloud, "PATIENCE_SECONDS", 20.0)
    monkeypatch.setattr(cloud, "FIRST_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(cloud, "REQUEST_SECONDS", 1.0)


@pytest.fixture
def gcs(google_server: Proxy, monkeypatch: pytest.MonkeyPatch, quick: None) -> Iterator[Proxy]:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", google_server.url)
    yield from _used(google_server)


@pytest.fixture
def s3(s3_server: Proxy, monkeypatch: pytest.MonkeyPatch, quick: None) -> Iterator[Proxy]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "nobody")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.url)
    yield from _used(s3_server)


def _used(proxy: Proxy) -> Iterator[Proxy]:
    cloud.forget_stores()
    proxy.seen.clear()
    proxy.requests.clear()
    yield proxy
    proxy.fault = no_fault
    cloud.forget_stores()


@pytest.fixture(params=["gs", "s3"])
def store(request: pytest.FixtureRequest) -> tuple[str, Proxy]:
    """An empty folder in each kind of store, and the proxy before it."""
    proxy = request.getfixturevalue({"gs": "gcs", "s3": "s3"}[request.param])
    return f"{request.param}://{BUCKET}/{uuid.uuid4().hex}", proxy


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Beam's own client of Google's store wants some, even for an emulator."""
    with token_server() as uri:
        path = tmp_path / "credentials.json"
        path.write_text(json.dumps(service_account(uri)))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", os.fspath(path))
        yield
