"""A launcher that was out of reach and comes back writes over nothing."""

import pytest
from object_stores import Proxy

from glotmill.pipelines.errors import RunError
from glotmill.pipelines.stages.base import complete
from glotmill.schemas.manifest import Manifest
from glotmill.transforms import storage, versions


def manifest_of(key: str) -> Manifest:
    return Manifest(stage="mix", key=key, glotmill="0", files=(), counts={})


def test_a_stale_launcher_cannot_write_over_a_manifest(store: tuple[str, Proxy]) -> None:
    root, _ = store
    path = f"{root}/mix/manifest.json"
    complete(root, "mix", manifest_of("before"))
    seen_by_both = versions.version_of(path)
    complete(root, "mix", manifest_of("new"), seen_by_both)
    with pytest.raises(RunError, match=r"another run wrote .*/mix/manifest\.json meanwhile"):
        complete(root, "mix", manifest_of("stale"), seen_by_both)
    assert Manifest.model_validate_json(storage.read_bytes(path)).key == "new"


def test_a_manifest_that_was_written_although_the_answer_was_lost(store: tuple[str, Proxy]) -> None:
    root, proxy = store
    lost: list[str] = []

    def lose_the_first(number: int, method: str, path: str) -> str:
        if method in ("POST", "PUT") and not lost:
            lost.append(path)
            return "lost"
        return "pass"

    proxy.fault = lose_the_first
    complete(root, "mix", manifest_of("new"), versions.ABSENT)
    assert lost
    assert storage.exists(f"{root}/mix/_SUCCESS")
