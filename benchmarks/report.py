"""How large and how fast the page of a large run is, in a real browser.

    GLOTMILL_DATA=... python benchmarks/report.py [--out FOLDER] [--labels 1000] [--pairs 2507]
        [--busy 1]

The run is made up from published counts: words of the labels of MaLA-500 as they are, further
labels down to the requested number as small as the smallest; pairs of languages in the classes of
EMMA-500's bitext (arXiv 2506.00469), which says how many there are of each. Every label stands in
one source or in several of the requested number of sources, each of which has a domain.

Needs the extra `test` and a browser. Prints a table in Markdown; exits with 1 over the limits.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "dashboard"))

import numpy as np
import pyarrow as pa
from browser import open_report, running_browser
from run_writer import RunWriter, directed, planned, row, sketched

from glotmill.dashboard import build_report
from glotmill.language_registry import all_languages
from glotmill.schemas.tables import STATISTICS_KEYS
from glotmill.schemas.tiers import TIER_TABLES, tier_of
from glotmill.transforms.sketches import LabelSketches

COUNTS = "published/mala_monolingual_counts.csv"
DOMAINS = ("web", "news", "religious", "legal", "encyclopedic", "books", "subtitles", "code")
#: Pairs in each class of the table `emma500-bitext`, the largest first.
PAIRS_BY_TIER = (4, 83, 67, 281, 508, 655, 909)
MAX_BYTES, MAX_PAINT, MAX_FILTER = 5_000_000, 2_000.0, 100.0
_WORDS_A_TEXT = 150

Amount = tuple[int, int, int]


def published_counts(folder: Path, num_labels: int) -> dict[str, int]:
    """Words by label, the most first, as many labels as wanted."""
    with (folder / COUNTS).open(encoding="utf-8") as file:
        found = {each["lang_code"]: int(each["num_tokens"]) for each in csv.DictReader(file)}
    others = (f"{each.iso639_3}_{script}" for each in all_languages() for script in each.scripts)
    smallest = min(found.values())
    for label in others:
        if len(found) >= num_labels:
            break
        found.setdefault(label, smallest)
    return dict(sorted(found.items(), key=lambda each: -each[1])[:num_labels])


def pairs_of(labels: list[str], num_pairs: int) -> Iterator[tuple[str, str, int]]:
    """Languages and words of pairs: those with the largest partner first, sized by class."""
    tiers = TIER_TABLES["emma500-bitext"]
    sizes = [
        int(3 * max(tier.at_least, 1e5))
        for tier, count in zip(tiers, PAIRS_BY_TIER, strict=True)
        for _ in range(count)
    ]
    names = [(a, b) for i, a in enumerate(labels[:90]) for b in labels[i + 1 : 90]]
    yield from ((*pair, size) for pair, size in zip(names[:num_pairs], sizes, strict=False))


def texts(words: float) -> Amount:
    """Texts, bytes and words, so many words in all."""
    count = max(1, math.ceil(words / _WORDS_A_TEXT))
    return count, int(6 * words) + count, int(words) + 1


def write_run(root: str, counts: dict[str, int], num_pairs: int, num_sources: int) -> str:
    """A finished run with these labels and pairs."""
    num_of_pairs = max(1, num_sources // 6)
    of_texts = [f"texts-{number:02d}" for number in range(num_sources - num_of_pairs)]
    of_pairs = [f"pairs-{number:02d}" for number in range(num_of_pairs)]
    sources: list[dict[str, Any]] = [
        {"name": name, "path": name, "domain": DOMAINS[place % len(DOMAINS)], "licence": "CC0-1.0"}
        for place, name in enumerate(of_texts)
    ]
    sources += [{"name": name, "path": name, "category": "bitext"} for name in of_pairs]
    recipe = {"glotmill": 1, "name": "published-counts", "sources": sources}
    run = RunWriter(root, recipe)
    plan: list[dict[str, Any]] = []
    rows = [*_rows_of_texts(counts, of_texts, plan)]
    directions: list[dict[str, Any]] = []
    rows += _rows_of_pairs(list(counts), num_pairs, of_pairs, plan, directions)
    totals = _totals(rows)
    for stage in ("ingest", "deduplicate", "mix"):
        run.statistics(stage, [each for each in rows if each["stage"] == stage])
    run.directions(directions)
    for place, name in enumerate(of_pairs):
        labels = {each["label"] for each in rows if each["source"] == name}
        run.sketches(name, _sketches_of_pairs(sorted(labels), place))
    for name in (*of_texts, *of_pairs):
        _write_excerpts(run, name, [each for each in rows if each["source"] == name])
    drawn = sum(_documents(e) for e in rows if e["outcome"] == "train" and "-" not in e["label"])
    nothing = pa.table({"row": [0]})
    run.excerpt("mix", "shards/train-00000-of-00001.parquet", nothing, drawn + num_pairs)
    return run.finish(plan, totals)


def _sketches_of_pairs(labels: list[str], seed: int) -> dict[str, LabelSketches]:
    """Lengths and confidence of 200 pairs of each label, as ragged as real ones."""
    generator = np.random.default_rng(seed)
    size = (len(labels), 200)
    first = np.maximum(1, generator.lognormal(4.5, 0.8, size).astype(int))
    ratios = np.exp(generator.normal(generator.normal(0, 0.4, (len(labels), 1)), 0.35, size))
    second = np.maximum(1, (first * ratios).astype(int))
    sure = generator.beta(8, 1, (2, *size))
    return {
        label: sketched(
            first[row], second[row], first_confidence=sure[0, row], second_confidence=sure[1, row]
        )
        for row, label in enumerate(labels)
    }


def _documents(each: dict[str, Any]) -> int:
    return int(each["num_documents"])


def _write_excerpts(run: RunWriter, source: str, rows: list[dict[str, Any]]) -> None:
    """Some documents of a source, in files that are listed as if they held all."""
    for table, outcome in (("documents", "kept"), ("dropped", "dropped")):
        some = [e for e in rows if (e["stage"], e["outcome"]) == ("ingest", outcome)]
        documents = [
            {
                **{name: each[name] for name in STATISTICS_KEYS[3:]},
                "content_hash": place.to_bytes(16, "big"),
                "drop_reason": each["reason"],
                "path": f"{source}.jsonl",
                "offset": place,
                "text": f"A text of {each['label']}, which stands for many.",
            }
            for place, each in enumerate(some[:400])
        ]
        found = pa.Table.from_pylist(documents)
        hashes = found.column("content_hash").cast(pa.binary(16))
        found = found.set_column(
            found.schema.get_field_index("content_hash"), "content_hash", hashes
        )
        path = f"ingest/{table}/{run.units[source]}.parquet"
        run.excerpt("ingest", path, found, sum(map(_documents, some)))


def _totals(rows: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    kept, dropped = (
        sum(_documents(e) for e in rows if (e["stage"], e["outcome"]) == ("ingest", outcome))
        for outcome in ("kept", "dropped")
    )
    removed = sum(_documents(each) for each in rows if each["stage"] == "deduplicate")
    ingest = {"read": kept + dropped, "kept": kept, "dropped": dropped, "rejected": 0}
    return {"ingest": ingest, "deduplicate": {"removed": removed}, "mix": {}}


def _rows_of_texts(
    counts: dict[str, int], sources: list[str], plan: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    tiers = TIER_TABLES["emma500-monolingual"]
    for place, (label, words) in enumerate(counts.items()):
        # Large labels stand in many sources, small ones in one.
        num_sources = max(1, min(len(sources), int(math.log10(words + 1)) * 2 - 8))
        left = (0, 0, 0)
        for number in range(num_sources):
            source = sources[(place + number) % len(sources)]
            kept, lost = texts(words / num_sources), texts(words / num_sources / 9)
            equal = texts(words / num_sources / 5)
            rest = (kept[0] - equal[0], kept[1] - equal[1], kept[2] - equal[2])
            if min(rest) <= 0:
                equal, rest = (0, 0, 0), kept
            verdict = "contradicted" if (place + number) % 7 == 0 else "confirmed"
            judged = {"declared_label": label, "identified_label": label, "verdict": verdict}
            yield row("ingest", "kept", "", source, label, kept) | judged
            yield row("ingest", "dropped", "repeated_lines", source, label, lost) | judged
            yield row("deduplicate", "dropped", "exact_duplicate", source, label, equal) | judged
            yield row("mix", "train", "", source, label, rest) | judged
            left = (left[0] + rest[0], left[1] + rest[1], left[2] + rest[2])
        tier = tier_of(left[2], tiers)
        plan.append(planned("monolingual", label, tier.name, 1.0, left, float(left[2])))


def _rows_of_pairs(
    labels: list[str],
    num_pairs: int,
    sources: list[str],
    plan: list[dict[str, Any]],
    directions: list[dict[str, Any]],
) -> Iterator[dict[str, Any]]:
    tiers = TIER_TABLES["emma500-bitext"]
    for place, (first, second, words) in enumerate(pairs_of(labels, num_pairs)):
        source, label = sources[place % len(sources)], "-".join(sorted((first, second)))
        amount = texts(words)
        yield row("ingest", "kept", "", source, label, amount)
        yield row("ingest", "dropped", "length_ratio", source, label, texts(words / 20))
        yield row("mix", "train", "", source, label, amount)
        order = f"{first}>{second}"
        directions.append(directed("available", "", source, order, 0, amount))
        directions.append(directed("train", "", source, order, 1, amount))
        tier = tier_of(words, tiers)
        plan.append(planned("bitext", label, tier.name, 1.0, amount, float(amount[2])))


# ---------------------------------------------------------- in the browser

PAINT = """() => new Promise((done) => {
  const find = () => performance.getEntriesByName("first-contentful-paint")[0];
  if (find()) done(find().startTime);
  else new PerformanceObserver((_, watching) => {
    if (find()) { watching.disconnect(); done(find().startTime); }
  }).observe({ type: "paint", buffered: true });
})"""
# From the event to the frame that shows what it changed.
FILTER = """([id, text]) => new Promise((done) => {
  const search = document.getElementById(id);
  search.value = text;
  const start = performance.now();
  search.dispatchEvent(new Event("input"));
  document.body.getBoundingClientRect();
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
})"""
SEARCHES = (
    ("languages", "language-search"), ("pairs", "pair-search"), ("mixture", "plan-search"),
    ("triage", "triage-search"),
)  # fmt: skip
WORDS = ("a", "ar", "ara", "", "lat", "latn", "swahili", "")


def measure(root: str) -> dict[str, float]:
    """Milliseconds to the first paint, and of the slowest keystroke in each search.

    `CPU` is what the page's thread computes for a keystroke, whatever else the machine does.
    """
    found: dict[str, float] = {}
    with running_browser() as browser:
        paints = []
        for _ in range(3):
            page, troubles = open_report(browser.new_context(), root)
            paints.append(page.evaluate(PAINT))
            page.close()
        found["first paint"] = statistics.median(paints)
        context = browser.new_context()
        page, troubles = open_report(context, root)
        session = context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        for view, search in SEARCHES:
            page.click(f'nav a[href="#{view}"]')
            page.wait_for_timeout(200)
            before = _cpu_seconds(session)
            times = [page.evaluate(FILTER, [search, word]) for word in WORDS]
            spent = _cpu_seconds(session) - before
            found[f"filter of {view}, slowest"] = max(times)
            found[f"filter of {view}, median"] = statistics.median(times)
            found[f"filter of {view}, CPU"] = 1_000 * spent / len(WORDS)
        if troubles.seen:
            raise SystemExit("\n".join(troubles.seen))
    return found


def _cpu_seconds(session: Any) -> float:
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))


@contextmanager
def busy(num_processes: int) -> Iterator[None]:
    """Other processes that want a core each, for as long as the context lasts."""
    others = [
        subprocess.Popen([sys.executable, "-c", "while True: sum(range(10**6))"])
        for _ in range(num_processes)
    ]
    try:
        yield
    finally:
        for each in others:
            each.kill()
            each.wait()


def main() -> int:
    """Writes the run, builds its page, measures; 1 where a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", help="where to leave the run; a temporary folder by default")
    parser.add_argument("--labels", type=int, default=1_000)
    parser.add_argument("--pairs", type=int, default=sum(PAIRS_BY_TIER))
    parser.add_argument("--sources", type=int, default=30)
    parser.add_argument("--busy", type=int, default=0, help="other processes that compute")
    options = parser.parse_args()
    data = os.environ.get("GLOTMILL_DATA")
    if not data:
        raise SystemExit("GLOTMILL_DATA is not set: it names the folder with the published counts")
    with tempfile.TemporaryDirectory() as folder:
        root = str(Path(options.out or folder).absolute())
        counts = published_counts(Path(data), options.labels)
        write_run(root, counts, options.pairs, options.sources)
        start = time.process_time()
        size = build_report(root)[-1].num_bytes
        seconds = time.process_time() - start
        with busy(options.busy):
            found = measure(root)
    print(f"| {options.labels} labels, {options.pairs} pairs, {options.sources} sources | |")
    print(f"|---|---|\n| build | {seconds:.1f} CPU s |\n| file | {size / 1e6:.2f} MB |")
    for name, value in found.items():
        print(f"| {name} | {value:.0f} ms |")
    # Of a machine that does other things, too, the slowest of eight says little.
    filters = max(value for name, value in found.items() if name.endswith("median"))
    return int(size > MAX_BYTES or found["first paint"] > MAX_PAINT or filters > MAX_FILTER)


if __name__ == "__main__":
    sys.exit(main())
