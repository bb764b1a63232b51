"""Output directories as the stages leave them, with numbers that are made up."""

import time

import numpy as np
import pyarrow as pa
import pytest
from browser import open_report, running_browser
from run_writer import RunWriter, counts, directed, lengths_of_pairs, planned, row, sketched

from glotmill.dashboard import build_report
from glotmill.language_registry import all_languages
from glotmill.schemas.tables import AVAILABLE, DROPPED, FERTILITY
from glotmill.transforms.statistics import merge, summarise

HOSTILE = '</script><img src=x onerror="document.title=1">'
# Columns of documents that nothing here reads.
NOT_WRITTEN = ("external_id", "url", "original_code", "changes", "script_share", "num_letters",
               "repeated_line_share", "repeated_ngram_share", "identified_score")  # fmt: skip


RECIPE = {
    "glotmill": 1,
    "name": "small-corpus",
    "seed": 7,
    "sources": [
        {"name": "web", "path": "data/web.jsonl"},
        {
            "name": "bible", "path": "data/bible.jsonl", "domain": "religious",
            "licence": HOSTILE, "language": {"code": "swh"},
        },
        {"name": "code", "path": "data/code.jsonl", "category": "code", "licence": "MIT"},
    ],
    "mix": {
        "exclude": ["code"],
        "tiers": [
            {"name": "large", "at_least": 2000, "rate": 0.5},
            {"name": "small", "at_least": 0, "rate": 2.0},
        ],
    },
}  # fmt: skip

INGESTED = [
    row("ingest", "kept", "", "web", "swh_Latn", (100, 10_000, 2_000)),
    row("ingest", "kept", "", "web", "zho_Hans", (50, 6_000, 1_500)),
    row("ingest", "dropped", "mixed_scripts", "web", "swh_Latn", (10, 500, 90)),
    row("ingest", "dropped", HOSTILE, "web", "zho_Hans", (5, 50, 10)),
    row("ingest", "rejected", "", "web", "", (4, 0, 0)),
    row("ingest", "kept", "", "bible", "swh_Latn", (20, 3_000, 600)),
    row("ingest", "kept", "", "code", "zxx_Zyyy", (30, 900, 100)),
]
REMOVED = [
    row("deduplicate", "dropped", "exact_duplicate", "web", "swh_Latn", (8, 700, 150)),
    row("deduplicate", "dropped", "exact_duplicate", "bible", "swh_Latn", (2, 300, 60)),
]
DRAWN = [
    row("mix", "train", "", "web", "swh_Latn", (40, 4_000, 800)),
    row("mix", "validation", "", "web", "swh_Latn", (5, 500, 100)),
    row("mix", "train", "", "bible", "swh_Latn", (10, 1_500, 300)),
    row("mix", "train", "", "web", "zho_Hans", (49, 5_900, 1_480)),
    row("mix", "train", "repeated", "web", "zho_Hans", (49, 5_900, 1_480)),
    row("mix", "validation", "", "web", "zho_Hans", (1, 100, 20)),
]
PLANNED = [
    planned("monolingual", "swh_Latn", "large", 0.5, (110, 12_000, 2_390), 1_140.0),
    planned("monolingual", "zho_Hans", "small", 2.0, (50, 6_000, 1_500), 2_940.0),
]
TOTALS = {
    "ingest": {"read": 219, "kept": 200, "dropped": 15, "rejected": 4},
    "deduplicate": {"removed": 10},
    "mix": {"train": 148, "validation": 6},
}


#: What a tokenizer made of the texts: category, label, split, again, words, bytes, tokens, bytes.
TOKENIZED = [
    ("monolingual", "eng_Latn", "train", False, 1_000, 5_000, 1_250, 0),
    ("monolingual", "swh_Latn", "train", False, 2_190, 11_000, 4_400, 40),
    ("monolingual", "swh_Latn", "validation", False, 100, 500, 180, 6),
    ("monolingual", "zho_Hans", "train", False, 1_480, 5_900, 8_000, 0),
    ("monolingual", "zho_Hans", "train", True, 1_480, 5_900, 9_999, 9),
]


def tokenized():
    """The rows of TOKENIZED in the schema AVAILABLE."""
    names = ("category", "label", "split", "again", "num_words", "num_bytes", "num_tokens",
             "num_fallback_tokens")  # fmt: skip
    rows = [dict(zip(names, values, strict=True)) for values in TOKENIZED]
    zeros = {name: 0 for name in AVAILABLE.names if name.startswith("num_")}
    return pa.Table.from_pylist([{**zeros, "domain": "", **row} for row in rows], AVAILABLE)


def fertility():
    """Tokens of the sides of pairs, in the schema FERTILITY."""
    sides = (("eng_Latn-swh_Latn", "eng_Latn", 100), ("eng_Latn-swh_Latn", "swh_Latn", 160))
    return pa.Table.from_pylist(
        [
            {"pair": pair, "label": label, "num_sentences": 9, "num_bytes": 9, "num_tokens": count}
            for pair, label, count in sides
        ],
        FERTILITY,
    )


def write_small_run(root, totals=TOTALS, *, excluded=(), tokens=None, drawn=()):
    """Three sources; `excluded` and `drawn` are further rows of statistics."""
    run = RunWriter(root, RECIPE)
    for source, num_rows in (("web", 150), ("bible", 20), ("code", 30)):
        run.rows("ingest", f"ingest/documents/{run.units[source]}.parquet", num_rows)
    texts = [("mixed_scripts", "swh_Latn", "habari привет") for _ in range(10)]
    texts += [(HOSTILE, "zho_Hans", f"{HOSTILE} 你好") for _ in range(5)]
    run.dropped(
        "web",
        [
            {"drop_reason": reason, "label": label, "path": "web.jsonl", "offset": i, "text": text}
            for i, (reason, label, text) in enumerate(texts)
        ],
    )
    run.rejected(
        "web",
        [
            {"path": path, "offset": offset, "reason": reason, "detail": detail, "excerpt": text}
            for path, offset, reason, detail, text in (
                ("b.jsonl", 90, "invalid_json", "later", "later"),
                ("b.jsonl", 10, "invalid_json", HOSTILE, f"\u202eمرحبا {HOSTILE}"),
                ("a.jsonl", 5, "invalid_utf8", "byte 3", ""),
                ("b.jsonl", 20, "invalid_json", "middle", "middle"),
            )
        ],
    )
    run.statistics("ingest", INGESTED)
    run.statistics("deduplicate", REMOVED)
    run.statistics("mix", [*DRAWN, *drawn])
    if excluded or tokens is not None:
        run.files["compose"] = []
        run.statistics("compose", excluded)
        if tokens is not None:
            run.table("compose", "compose/available.parquet", tokens)
            run.table("compose", "compose/fertility.parquet", fertility())
    run.rows("mix", "shards/train-00000-of-00002.parquet", 100)
    run.rows("mix", "shards/train-00001-of-00002.parquet", 48)
    run.rows("mix", "shards/validation-00000-of-00001.parquet", 6)
    return run.finish(PLANNED, totals)


def write_empty_run(root):
    """All that was read was rejected."""
    run = RunWriter(root, {**RECIPE, "sources": RECIPE["sources"][:1]})
    run.statistics("ingest", [row("ingest", "rejected", "", "web", "", (1, 0, 0))])
    reject = {"path": "a", "offset": 0, "reason": "invalid_utf8", "detail": "", "excerpt": ""}
    run.rejected("web", [reject])
    counted = {"read": 1, "kept": 0, "dropped": 0, "rejected": 1}
    return run.finish([], {"ingest": counted, "deduplicate": {"removed": 0}, "mix": {}})


LARGE_MIX = {
    "tiers": [
        {"name": "high", "at_least": 1e9, "rate": 0.5},
        {"name": "low", "at_least": 0, "rate": 1.0},
    ]
}


def write_large_run(root, num_labels=1_000, num_sources=5):
    """As many labels as the registry gives, each in every source."""
    labels = [f"{each.iso639_3}_{each.scripts[0]}" for each in all_languages() if each.scripts]
    labels = labels[:num_labels]
    assert len(labels) == num_labels
    names = [f"source-{i}" for i in range(num_sources)]
    sources = [{"name": name, "path": f"{name}.jsonl", "licence": "CC-BY-4.0"} for name in names]
    run = RunWriter(root, {**RECIPE, "name": "large-corpus", "sources": sources, "mix": LARGE_MIX})
    kept, dropped, removed, drawn, plan = [], [], [], [], []
    for i, label in enumerate(labels):
        size = 1 + int(3_000 * 0.99**i)
        lost, equal = 1 + size // 9, size // 4
        left = size - equal
        taken = left if i > 40 else left // 2
        for name in names:
            other = label if i % 4 == 0 else labels[i - 1].partition("_")[0] + label[3:]
            verdict = judged(label, other, JUDGEMENTS[i % 4])
            kept.append(row("ingest", "kept", "", name, label, texts(size)) | verdict)
            dropped.append(row("ingest", "dropped", "repeated_lines", name, label, texts(lost)))
            removed.append(
                row("deduplicate", "dropped", "exact_duplicate", name, label, texts(equal))
            )
            drawn.append(row("mix", "train", "", name, label, texts(taken)))
        available = texts(left * num_sources)
        tier, rate = ("low", 1.0) if i > 40 else ("high", 0.5)
        plan.append(planned("monolingual", label, tier, rate, available, rate * available[2]))
    run.statistics("ingest", kept + dropped)
    run.statistics("deduplicate", removed)
    run.statistics("mix", drawn)
    sums = [sum(each["num_documents"] for each in rows) for rows in (kept, dropped, removed, drawn)]
    example = {"drop_reason": "repeated_lines", "label": labels[0], "path": "a", "offset": 0}
    for name, key in run.units.items():
        documents = judged_documents([each for each in kept if each["source"] == name])
        run.table("ingest", f"ingest/documents/{key}.parquet", documents)
        run.dropped(name, [{**example, "text": "la la"}] * (sums[1] // num_sources))
    run.rows("mix", "shards/train-00000-of-00001.parquet", sums[3])
    counted = {"read": sums[0] + sums[1], "kept": sums[0], "dropped": sums[1], "rejected": 0}
    return run.finish(plan, {"ingest": counted, "deduplicate": {"removed": sums[2]}, "mix": {}})


def judged(label, other, verdict):
    """Keys of statistics of documents that an identifier has judged."""
    return {"declared_label": label, "identified_label": other, "verdict": verdict}


JUDGEMENTS = ("confirmed", "contradicted", "unsure", "unverifiable")


def judged_documents(rows):
    """The columns of documents that triage reads, for rows of statistics, label by label."""
    sizes = [each["num_documents"] for each in rows]
    names = ("source", "declared_label", "identified_label", "script", "verdict")
    columns = {name: np.repeat([each[name] for each in rows], sizes) for name in names}
    hashes = pa.py_buffer(np.random.default_rng(1).bytes(16 * sum(sizes)))
    columns["content_hash"] = pa.Array.from_buffers(pa.binary(16), sum(sizes), [None, hashes])
    columns["text"] = pa.repeat("a text of some language", sum(sizes))
    return pa.table(columns)


def document(source, declared, identified, verdict, number, text, reason=None):
    """One row of documents; its content hash is the number given."""
    script = (declared or identified or "und_Latn").partition("_")[2]
    return {
        "text": text, "source": source, "declared_label": declared,
        "identified_label": identified, "verdict": verdict, "script": script,
        "label": declared or identified or "und_Latn", "drop_reason": reason,
        "path": f"{source}.jsonl", "offset": number, "content_hash": number.to_bytes(16, "big"),
        **counts(1, len(text.encode()), len(text.split())),
    }  # fmt: skip


def write_triage_run(root):
    """A finished run whose documents have labels that are wrong."""
    run = RunWriter(root, {**RECIPE, "name": "triage", "mix": {}})
    swahili, french = "swh_Latn", "fra_Latn"
    rows = [
        *(document("web", swahili, swahili, "confirmed", i, "habari") for i in range(5)),
        *(document("web", swahili, french, "contradicted", 20 - i, f"mot {i}") for i in range(4)),
        document("web", swahili, french, "contradicted", 3, HOSTILE, "language_mismatch"),
        document("web", swahili, french, "contradicted", 17, "mot 3"),  # an equal of number 3
        document("web", swahili, "eng_Latn", "unsure", 7, "x\x1b[31m\n\u202e y"),
        document("web", "arb_Arab", "urd_Arab", "contradicted", 8, "نص"),
        document("bible", swahili, french, "contradicted", 9, "dieu"),
        *(document("bible", swahili, swahili, "confirmed", 40 + i, "mungu") for i in range(9)),
        document("bible", None, None, "unidentified", 10, "?? ??", "unidentified_language"),
        document("code", None, None, "unknown_code", 11, "if", "unknown_language_code"),
    ]
    for source, key in run.units.items():
        of_source = [each for each in rows if each["source"] == source]
        parts = {
            "kept": ("documents", [each for each in of_source if not each["drop_reason"]]),
            "dropped": ("dropped", [each for each in of_source if each["drop_reason"]]),
        }
        statistics = []
        for outcome, (folder, some) in parts.items():
            if some:
                table = pa.Table.from_pylist(some, DOCUMENT_COLUMNS)
                run.table("ingest", f"ingest/{folder}/{key}.parquet", table)
                named = table.rename_columns(
                    ["reason" if n == "drop_reason" else n for n in table.schema.names]
                )
                statistics.append(summarise(named, {"stage": "ingest", "outcome": outcome}))
        run.table("ingest", f"ingest/statistics/{key}.parquet", merge(statistics))
    counted = {"read": len(rows), "kept": len(rows) - 3, "dropped": 3, "rejected": 0}
    return run.finish([], {"ingest": counted, "deduplicate": {"removed": 0}, "mix": {}})


GERMAN, SWAHILI, THREE = (
    "deu_Latn-eng_Latn", "eng_Latn-swh_Latn", "ces_Latn-deu_Latn-eng_Latn",
)  # fmt: skip
PARALLEL = {
    "glotmill": 1,
    "name": "parallel",
    "sources": [
        {"name": "opus", "path": "a.tmx", "category": "bitext"},
        {"name": "bible", "path": "b.tmx", "category": "bitext"},
        {"name": "web", "path": "web.jsonl"},
    ],
    "mix": {"tiers": {"bitext": "emma500-bitext", "monolingual": "uniform"}},
}


def write_pairs_run(root, ratio=0.9):
    """Two sources of pairs, and one of documents: 16 + 3 + 3 rows in the shards."""
    run = RunWriter(root, PARALLEL)
    scored = {"score:margin": np.arange(60) / 60, "first_confidence": np.full(60, 0.75)}
    run.sketches(
        "opus",
        {
            GERMAN: sketched(*lengths_of_pairs(60, ratio), **scored),
            SWAHILI: sketched(*lengths_of_pairs(20, 3.0)),
        },
    )
    run.sketches("bible", {GERMAN: sketched(*lengths_of_pairs(40, ratio))})
    run.statistics(
        "ingest",
        [
            row("ingest", "kept", "", "opus", GERMAN, (60, 6_000, 1_200)),
            row("ingest", "kept", "", "bible", GERMAN, (40, 4_000, 800)),
            row("ingest", "kept", "", "opus", SWAHILI, (20, 2_000, 400)),
            row("ingest", "kept", "", "opus", THREE, (5, 900, 150)),
            row("ingest", "dropped", "length_ratio", "opus", GERMAN, (8, 800, 160)),
            row("ingest", "dropped", "identical_sides", "bible", GERMAN, (2, 200, 40)),
            row("ingest", "rejected", "", "opus", "", (3, 0, 0)),
            row("ingest", "kept", "", "web", "deu_Latn", (3, 300, 60)),
        ],
    )
    run.statistics(
        "deduplicate",
        [row("deduplicate", "dropped", "repeated_side", "opus", GERMAN, (10, 1_000, 200))],
    )
    drawn = [
        ("train", "", "opus", "eng_Latn>deu_Latn", 3, (30, 3_000, 600)),
        ("train", "", "opus", "deu_Latn>eng_Latn", 2, (20, 2_000, 400)),
        ("train", "", "bible", "deu_Latn>eng_Latn", 3, (30, 3_000, 600)),
        ("train", "repeated", "opus", "eng_Latn>deu_Latn", 3, (30, 3_000, 600)),
        ("train", "repeated", "opus", "deu_Latn>eng_Latn", 2, (20, 2_000, 400)),
        ("train", "repeated", "bible", "deu_Latn>eng_Latn", 3, (30, 3_000, 600)),
        ("validation", "", "opus", "eng_Latn>swh_Latn", 1, (10, 1_000, 200)),
        ("validation", "", "opus", "swh_Latn>eng_Latn", 1, (10, 1_000, 200)),
        ("validation", "repeated", "opus", "swh_Latn>eng_Latn", 1, (10, 1_000, 200)),
    ]
    rows = [directed(*each) for each in drawn]
    run.statistics(
        "mix",
        [
            row("mix", "train", "", "web", "deu_Latn", (3, 300, 60)),
            *(
                row("mix", each["outcome"], each["reason"], each["source"], each["label"],
                    (each["num_pairs"], each["num_bytes"], each["num_words"]))
                for each in rows
            ),
        ],
    )  # fmt: skip
    run.directions(
        [
            directed("available", "", "opus", "eng_Latn>deu_Latn", 0, (40, 4_000, 800)),
            directed("available", "", "opus", "deu_Latn>eng_Latn", 0, (10, 1_000, 200)),
            directed("available", "", "bible", "eng_Latn>deu_Latn", 0, (40, 4_000, 800)),
            directed("available", "", "opus", "eng_Latn>swh_Latn", 0, (20, 2_000, 400)),
            directed("available", "", "opus", "eng_Latn>deu_Latn>ces_Latn", 0, (5, 900, 150)),
            *rows,
        ]
    )
    for source, num_rows in (("opus", 85), ("bible", 40), ("web", 3)):
        run.rows("ingest", f"ingest/documents/{run.units[source]}.parquet", num_rows)
    example = {"label": GERMAN, "path": "a.tmx", "offset": 0, "text": "eins\none"}
    run.dropped("opus", [{"drop_reason": "length_ratio", **example}] * 8)
    run.dropped("bible", [{"drop_reason": "identical_sides", **example}] * 2)
    reject = {"path": "a.tmx", "offset": 0, "reason": "missing_side", "detail": "", "excerpt": ""}
    run.rejected("opus", [reject] * 3)
    run.rows("mix", "shards/train-00000-of-00001.parquet", 16 + 3)
    run.rows("mix", "shards/validation-00000-of-00001.parquet", 3)
    return run.finish(
        [
            planned("bitext", GERMAN, "very low", 10.0, (90, 9_000, 1_800), 18_000.0),
            planned("bitext", SWAHILI, "very low", 0.0, (20, 2_000, 400), 0.0),
            planned("bitext", THREE, "very low", 10.0, (5, 900, 150), 1_500.0),
            planned("monolingual", "deu_Latn", "all", 1.0, (3, 300, 60), 60.0),
        ],
        {
            "ingest": {"read": 141, "kept": 128, "dropped": 10, "rejected": 3},
            "deduplicate": {"removed": 10},
            "mix": {"train": 19, "validation": 3},
        },
    )


def write_many_pairs_run(root, num_languages=220, most_pairs=3_500):
    """Every language with the next ones, each pair once."""
    languages = [f"{each.iso639_3}_{each.scripts[0]}" for each in all_languages() if each.scripts]
    run = RunWriter(root, {**PARALLEL, "sources": PARALLEL["sources"][:1], "mix": {}})
    pairs = [
        (languages[i], languages[(i + step) % num_languages])
        for step in range(1, 20)
        for i in range(num_languages)
    ][:most_pairs]
    ingested, drawn, directions, plan = [], [], [], []
    for number, (source, target) in enumerate(pairs):
        label = "-".join(sorted((source, target)))
        amount = texts(1 + (most_pairs - number) // 50)
        ingested.append(row("ingest", "kept", "", "opus", label, amount))
        drawn.append(row("mix", "train", "", "opus", label, amount))
        direction = f"{source}>{target}"
        directions.append(directed("available", "", "opus", direction, 0, amount))
        directions.append(directed("train", "", "opus", direction, amount[0], amount))
        plan.append(planned("bitext", label, "all", 1.0, amount, amount[2]))
    run.statistics("ingest", ingested)
    run.statistics("mix", drawn)
    run.directions(directions)
    kept = sum(each["num_documents"] for each in ingested)
    run.rows("ingest", f"ingest/documents/{run.units['opus']}.parquet", kept)
    run.rows("mix", "shards/train-00000-of-00001.parquet", kept)
    counted = {"read": kept, "kept": kept, "dropped": 0, "rejected": 0}
    return run.finish(plan, {"ingest": counted, "deduplicate": {"removed": 0}, "mix": {}})


DOCUMENT_COLUMNS = pa.schema([field for field in DROPPED if field.name not in NOT_WRITTEN])


def texts(num_documents):
    """Documents of 900 kB and 150,000 words each."""
    return num_documents, 900_000 * num_documents, 150_000 * num_documents


@pytest.fixture(scope="module")
def context():
    """A window of a browser; tests are skipped where there is none."""
    with running_browser() as browser:
        yield browser.new_context(viewport={"width": 1280, "height": 900})


@pytest.fixture
def visit(context):
    """Opens a view of a run's page; fails on whatever the page complains of or asks for."""
    opened = []

    def visit(root, address=""):
        page, troubles = open_report(context, root, address)
        opened.append((page, troubles))
        return page

    yield visit
    for page, troubles in opened:
        page.close()
        assert troubles.seen == []


@pytest.fixture(scope="session")
def hostile():
    """Text that would run in a page that trusts it."""
    return HOSTILE


@pytest.fixture(scope="session")
def small_run(tmp_path_factory):
    """A finished output directory; do not change it."""
    return write_small_run(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def tokens_run(tmp_path_factory):
    """The same with a tokenizer; do not change it."""
    return write_small_run(tmp_path_factory.mktemp("tokens"), tokens=tokenized())


@pytest.fixture
def make_small_run(tmp_path):
    """Writes a finished output directory to change; `name` is its folder in tmp_path."""
    return lambda name=".", **options: write_small_run(tmp_path / name, **options)


@pytest.fixture(scope="session")
def large_run(tmp_path_factory):
    """A finished run with 1,000 labels; do not change it."""
    return write_large_run(tmp_path_factory.mktemp("large"))


@pytest.fixture(scope="session")
def large_report(large_run):
    """Its files as they are listed, the CPU seconds that they took, and the page."""
    start = time.process_time()
    entries = build_report(large_run)
    seconds = time.process_time() - start
    with open(f"{large_run}/report.html", encoding="utf-8") as file:
        return entries, seconds, file.read()


@pytest.fixture(scope="session")
def triage_run(tmp_path_factory):
    """A finished run whose documents have labels that are wrong; do not change it."""
    return write_triage_run(tmp_path_factory.mktemp("triage"))


@pytest.fixture(scope="session")
def pairs_run(tmp_path_factory):
    """A finished run with parallel text; do not change it."""
    return write_pairs_run(tmp_path_factory.mktemp("pairs"))


@pytest.fixture
def make_pairs_run(tmp_path):
    """Writes a finished run with parallel text to change."""
    return lambda **options: write_pairs_run(tmp_path, **options)


@pytest.fixture(scope="session")
def many_pairs_run(tmp_path_factory):
    return write_many_pairs_run(tmp_path_factory.mktemp("many-pairs"))


@pytest.fixture
def empty_run(tmp_path):
    """A finished run in which nothing was kept."""
    return write_empty_run(tmp_path / "empty")
