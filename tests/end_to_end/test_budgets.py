"""Budgets that hold: what is drawn is what was planned, for 546 labels and for both mixes."""

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from glotmill.language_registry import resolve

# The published counts, made so many times smaller.
SCALE = 2e-5
LEAST_WORDS = 40
TIERS = [
    {"name": name, "at_least": at_least * SCALE, "rate": rate}
    for name, at_least, rate in (
        ("high", 1e9, 0.5),
        ("medium-high", 1e8, 1),
        ("medium", 1e7, 2),
        ("medium-low", 1e6, 5),
        ("low", 0, 10),
    )
]
# Published shares of the bilingual mix (arXiv 2506.00469), in percent.
SHARES = {
    "bitext": 32.3, "monolingual": 26.3, "code": 15.0, "paper": 13.2, "instruction": 11.4,
    "book": 1.8,
}  # fmt: skip
# The published shares of its monolingual mix.
MONOLINGUAL = {"monolingual": 38.9, "code": 22.1, "paper": 19.5, "instruction": 16.8, "book": 2.6}


def published(folder: Path) -> dict[str, int]:
    """Whitespace tokens of the labels that were trained on."""
    with (folder / "published" / "mala_monolingual_counts.csv").open(encoding="utf-8") as file:
        counts = {row["lang_code"]: int(row["num_tokens"]) for row in csv.DictReader(file)}
    return {label: count for label, count in counts.items() if count >= 1e5}


def documents(label: str, num_words: int) -> Iterable[dict[str, str]]:
    """Texts of 20 to 60 words that are all different."""
    written, number = 0, 0
    while written < num_words:
        length = 20 + (number * 37) % 41
        words = " ".join(f"{label[:3]}{number}x{place}" for place in range(length))
        yield {"lang": label, "text": words}
        written, number = written + length, number + 1


def write_jsonl(path: Path, rows: Iterable[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def write_recipe(path: Path, **keys: object) -> None:
    path.write_text(yaml.safe_dump({"glotmill": 1, **keys}), encoding="utf-8")


def realised(root: Path) -> list[dict[str, object]]:
    return pq.read_table(root / "mix" / "realised.parquet").to_pylist()


def longest(root: Path, column: str) -> dict[tuple[str, str], int]:
    """The largest document of each category and label that was drawn."""
    found: dict[tuple[str, str], int] = defaultdict(int)
    for path in (root / "shards").glob("train-*.parquet"):
        for row in pq.read_table(path, columns=["category", "label", column]).to_pylist():
            group = (row["category"], row["label"])
            found[group] = max(found[group], row[column])
    return found


def assert_met(root: Path, column: str) -> None:
    """Each label within 0.5 per cent of its plan, or one document; and rows and sums agree."""
    largest = longest(root, column)
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for path in (root / "shards").glob("train-*.parquet"):
        table = pq.read_table(path, columns=["category", "label", column])
        for row in table.group_by(["category", "label"]).aggregate([(column, "sum")]).to_pylist():
            sums[row["category"], row["label"]] += row[f"{column}_sum"]
    for row in realised(root):
        group = (row["category"], row["label"])
        planned, drawn = row["planned_count"], row["realised_count"]
        assert drawn == sums.get(group, 0)
        assert abs(drawn - planned) <= max(0.005 * planned, largest.get(group, 0)), row


def digests(root: Path) -> dict[str, str]:
    manifest = json.loads((root / "manifest.json").read_text())
    return {
        file["path"]: file["sha256"]
        for file in manifest["files"]
        if file["path"].startswith(("shards/", "tokens/"))
    }


@pytest.mark.data
@pytest.mark.slow
def test_546_labels_shaped_like_the_published_ones(
    glotmill: Callable, tmp_path: Path, data_folder: Path
) -> None:
    counts = published(data_folder)
    assert len(counts) == 546
    rows = (
        row
        for label, count in sorted(counts.items())
        for row in documents(label.replace("Japn", "Jpan"), max(LEAST_WORDS, int(count * SCALE)))
    )
    write_jsonl(tmp_path / "text.jsonl", rows)
    mix = {"count_by": "whitespace_words", "tiers": TIERS, "budget": 800_000, "max_epochs": 20}
    write_recipe(
        tmp_path / "rates.yaml",
        name="rates",
        sources=[{"name": "all", "path": "text.jsonl", "language": {"column": "lang"}}],
        identify={"enabled": False},
        script={"min_share": 0},
        ingest={"unit_bytes": 2_000_000},
        filters={"max_repeated_ngram_share": 1},
        mix=mix,
        output={"parquet": {"shards": 4}},
    )
    strategies = {"unimax": {}, "temperature": {"alpha": 0.3}}
    for name, more in strategies.items():
        write_recipe(
            tmp_path / f"{name}.yaml",
            extends="rates.yaml", name=name, mix={"strategy": name, **more},
        )  # fmt: skip
    for name in ("rates", *strategies):
        done = glotmill("run", f"{name}.yaml", "--out", name)
        assert done.returncode == 0, done.stderr
        root = tmp_path / name
        assert_met(root, "num_whitespace_words")
        plan = pq.read_table(root / "mix" / "plan.parquet")
        # Two of the published codes are one language now, and so one label.
        assert plan.num_rows == len({resolve(code).label for code in counts}) == 545
        total = sum(row["realised_count"] for row in realised(root))
        assert total == pytest.approx(800_000, rel=0.03)  # a document of each label more, at most
        assert sum(plan["planned_count"].to_pylist()) == pytest.approx(800_000, rel=1e-9)
        assert max(plan["epochs"].to_pylist()) <= 20 * (1 + 1e-9)


@pytest.fixture
def categories(tmp_path: Path) -> Path:
    """Text of all categories, and a tokenizer; gives the folder."""
    trainers = pytest.importorskip("tokenizers", reason="needs the extra `tokens`")
    sizes = {"monolingual": 30_000, "code": 12_000, "paper": 14_000, "instruction": 9_000}
    for name, size in {**sizes, "book": 4_000}.items():
        label = {"code": "zxx_Zyyy"}.get(name, "eng_Latn")
        rows = [
            {**row, "text": f"{name} {row['text']}"} for row in documents(label, size)
        ]  # fmt: skip
        if name == "monolingual":
            rows += [*documents("swh_Latn", 3_000), *documents("fin_Latn", 9_000)]
        write_jsonl(tmp_path / f"{name}.jsonl", rows)
    lines = []
    for number in range(3_000):
        english = " ".join(f"this{number} is{number} sentence{place}" for place in range(4))
        lines.append(f"{english}\t{english.replace('this', 'hii').replace('sentence', 'sentensi')}")
    (tmp_path / "pairs.tsv").write_text("\n".join(lines), encoding="utf-8")
    made = trainers.Tokenizer(trainers.models.BPE())
    made.pre_tokenizer = trainers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = trainers.pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet,
        show_progress=False,
    )  # fmt: skip
    made.train_from_iterator(lines[:500], trainer)
    made.save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def write_mixes(folder: Path) -> None:
    names = ("monolingual", "code", "paper", "instruction", "book")
    sources: list[dict[str, object]] = [
        {"name": n, "path": f"{n}.jsonl", "category": n, "language": {"column": "lang"}}
        for n in names
    ]
    sides = [{"text": "1", "code": "eng_Latn"}, {"text": "2", "code": "swh_Latn"}]
    sources.append(
        {"name": "pairs", "path": "pairs.tsv", "category": "bitext", "pairs": {"sides": sides}}
    )
    write_recipe(
        folder / "bilingual.yaml",
        name="bilingual",
        sources=sources,
        identify={"enabled": False},
        script={"min_share": 0},
        filters={"max_repeated_ngram_share": 1, "max_repeated_line_share": 1},
        mix={
            "count_by": "tokens",
            "tiers": "uniform",
            "strategy": "shares",
            "shares": SHARES,
            "budget": 500_000,
        },
        output={
            "parquet": {"shards": 3},
            "tokens": {"tokenizer": "tokenizer.json", "formats": ["megatron", "parquet"]},
        },
    )
    write_recipe(
        folder / "monolingual.yaml",
        extends="bilingual.yaml",
        name="monolingual",
        mix={"exclude": ["bitext"], "budget": 312_500},
    )


def shares_of(root: Path) -> dict[str, float]:
    sums: dict[str, int] = defaultdict(int)
    for row in realised(root):
        sums[row["category"]] += row["num_tokens"]
    return {name: 100 * count / sum(sums.values()) for name, count in sums.items()}


@pytest.mark.slow
def test_both_mixes_of_the_second_paper(glotmill: Callable, categories: Path) -> None:
    write_mixes(categories)
    for name, expected in (("bilingual", SHARES), ("monolingual", MONOLINGUAL)):
        done = glotmill("run", f"{name}.yaml", "--out", name, "--workers", 1)
        assert done.returncode == 0, done.stderr
        found = shares_of(categories / name)
        assert found.keys() == expected.keys()
        for category, share in expected.items():
            assert found[category] == pytest.approx(share, abs=0.5)
        assert_met(categories / name, "num_tokens")
    drawn = [texts(categories / name) for name in ("bilingual", "monolingual")]
    # The monolingual mix is the other one without its pairs: it draws among the same documents.
    assert drawn[1] <= drawn[0] or drawn[0] <= drawn[1]
    done = glotmill("run", "bilingual.yaml", "--out", "again", "--workers", 2)
    assert done.returncode == 0, done.stderr
    assert digests(categories / "again") == digests(categories / "bilingual")
    assert len(digests(categories / "again")) > 20


def texts(root: Path) -> set[tuple[str, int]]:
    paths = sorted((root / "shards").glob("train-*.parquet"))
    table = pa.concat_tables(
        pq.read_table(path, columns=["text", "copy", "category"]) for path in paths
    )
    rows = table.to_pylist()
    return {(row["text"], row["copy"]) for row in rows if row["category"] != "bitext"}
