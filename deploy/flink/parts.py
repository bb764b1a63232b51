"""The parts of a Flink cluster for Beam, fetched once into a folder and used from there.

What is fetched: Flink's own jars (from the Python package index), Beam's job server for Flink with
all it depends on (with Maven), and Beam's `boot` program that starts Python workers (with Go).
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

FLINK = "1.19.3"
#: Beam releases its runner for each minor version of Flink: 1.19 belongs to 1.19.3.
RUNNER = "beam-runners-flink-1.19"
#: The last release whose dependencies all resolve (2.65.0 and 2.70.0 do not).
JOB_SERVER = "2.62.0"
#: Of the same version as the slf4j-api that the runner brings, or the job server logs nothing.
SLF4J = "1.7.30"
#: The Python SDK's version: workers and launcher must have the same.
SDK = "2.77.0"

VERSIONS = {"flink": FLINK, "job_server": JOB_SERVER, "slf4j": SLF4J, "sdk": SDK}
NEEDED = {"javac": "a JDK of Java 11 or 17", "mvn": "Apache Maven", "go": "Go 1.25 or later"}

_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>glotmill</groupId>
  <artifactId>flink-job-server</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.beam</groupId>
      <artifactId>{RUNNER}</artifactId>
      <version>{JOB_SERVER}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>{SLF4J}</version>
    </dependency>
  </dependencies>
</project>
"""


class PartsError(Exception):
    """A part cannot be had; the message says which, and what to do."""


def fetch(cache: Path) -> None:
    """Fetches what is not in the cache yet.

    Args:
        cache: the folder; afterwards it holds `job-server/*.jar`, `flink/*.jar` and `boot`.

    Raises:
        PartsError: a program is missing, or a download failed.
    """
    for name, get in (("job-server", _job_server), ("flink", _flink), ("boot", _boot)):
        _get(cache, name, get)
    (cache / "versions.json").write_text(json.dumps(VERSIONS, indent=2) + "\n")


def _get(cache: Path, name: str, get: Callable[[Path], Path]) -> None:
    """Makes one part under another name first: an interrupted download leaves nothing behind."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of several processes one fetches, the others wait
        if (cache / name).exists():
            return
        print(f"fetching {name} into {cache}", flush=True)
        work = cache / f".{name}"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        os.replace(get(work), cache / name)
        shutil.rmtree(work, ignore_errors=True)


def _job_server(work: Path) -> Path:
    (work / "pom.xml").write_text(_POM)
    jars = work / "jars"
    goal = "dependency:copy-dependencies"
    _call("mvn", "-q", "-B", goal, "-DincludeScope=runtime", f"-DoutputDirectory={jars}", cwd=work)
    _replace_classes(work, jars)
    return jars


def _replace_classes(work: Path, jars: Path) -> None:
    """Puts classes of ours in the place of Beam's: each says why at its head."""
    classes, ours = work / "classes", sorted((Path(__file__).parent / "replaced").glob("*.java"))
    _call("javac", "-nowarn", "-cp", f"{jars}/*", "-d", str(classes), *map(str, ours), cwd=work)
    names = {path.stem for path in ours}
    core = jars / f"beam-sdks-java-core-{JOB_SERVER}.jar"
    beside = work / core.name
    with zipfile.ZipFile(core) as old, zipfile.ZipFile(beside, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            replaced = re.split(r"[.$]", Path(entry.filename).name)[0] in names
            if not (replaced or entry.is_dir()):
                new.writestr(entry, old.read(entry))
        for path in sorted(classes.rglob("*.class")):
            new.write(path, path.relative_to(classes).as_posix())
    os.replace(beside, core)


def _flink(work: Path) -> Path:
    package = f"apache-flink-libraries=={FLINK}"
    # Without isolation pip would ask for setuptools and wheel of this environment.
    options = ["--no-deps", "--no-binary=:all:", "-q"]
    _call(sys.executable, "-m", "pip", "download", *options, "-d", ".", package, cwd=work)
    (archive,) = work.glob("*.tar.gz")
    jars = work / "jars"
    jars.mkdir()
    with tarfile.open(archive) as packed:
        for member in packed:
            if "/deps/lib/" in member.name and member.name.endswith(".jar"):
                _copy(packed, member, jars)
    return jars


def _copy(packed: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    stream = packed.extractfile(member)
    if stream is None:
        raise PartsError(f"{member.name} in Flink's package is no file")
    with stream, (folder / Path(member.name).name).open("wb") as out:
        shutil.copyfileobj(stream, out)


def _boot(work: Path) -> Path:
    package = f"github.com/apache/beam/sdks/v2/python/container@v{SDK}"
    _call("go", "install", package, cwd=work, GOBIN=str(work), CGO_ENABLED="0")
    return work / "container"


def fetch_prism(cache: Path) -> Path:
    """Builds Prism, Beam's engine in one binary, to listen on the loopback interface alone.

    Beam's own binary listens on every interface; the one line that says so is changed.

    Raises:
        PartsError: go is missing, the download failed, or Beam's code is another one.
    """
    _get(cache, "prism", _prism)
    return cache / "prism"


def _prism(work: Path) -> Path:
    module = f"github.com/apache/beam/sdks/v2@v{SDK}"
    downloaded = json.loads(_call("go", "mod", "download", "-json", module, cwd=work))
    with zipfile.ZipFile(downloaded["Zip"]) as sources:
        sources.extractall(work)
    folder = work / module
    server = folder / "go/pkg/beam/runners/prism/internal/jobservices/server.go"
    listens, code = 'fmt.Sprintf(":%d", port)', server.read_text()
    if code.count(listens) != 1:
        raise PartsError(f"{server.name} of Beam {SDK} does not say once where it listens")
    server.write_text(code.replace(listens, listens.replace(":", "127.0.0.1:")))
    _call("go", "build", "-o", str(work / "binary"), "./go/cmd/prism", cwd=folder)
    return work / "binary"


def _call(program: str, *arguments: str, cwd: Path, **environment: str) -> str:
    if shutil.which(program) is None:
        wanted = NEEDED.get(program, program)
        raise PartsError(f"{program} is not on PATH; install {wanted}")
    done = subprocess.run(
        [program, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise PartsError(f"{program} failed with {done.returncode}:\n{tail}")
    return done.stdout
