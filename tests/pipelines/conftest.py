"""A small run with text, pairs and tokens, in which all that can happen to a record happens."""

import json
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from glotmill.pipelines.engine import run_locally
from glotmill.pipelines.run import execute, prepare
from glotmill.pipelines.stages.base import Job, Manifests
from glotmill.schemas.loading import load_recipe
from glotmill.schemas.lock import Lock

RECIPE = """\
glotmill: 1
name: traced
seed: 7
sources:
  - {name: web, path: web.jsonl, language: {column: lang}, id: id, url: url, domain: web,
     licence: CC-BY-4.0}
  - {name: plain, path: plain.jsonl, language: {column: lang}, id: id}
  - {name: shouts, path: shouts.jsonl, category: code, language: {code: eng}, id: id, licence: MIT}
  - {name: talks, path: talks.tsv, category: bitext, licence: "odd | terms <1>",
     pairs: {sides: [{text: eng, code: eng}, {text: deu, code: deu}]}}
identify: {enabled: false}
filters: {min_characters: 5}
bitext: {pairs_per_document: 4}
mix:
  count_by: tokens
  tiers: {monolingual: [{name: some, at_least: 0, rate: 2.5}],
          bitext: [{name: half, at_least: 0, rate: 0.5}]}
  exclude: [code]
  validation: {share: 0.1, max_documents: 20, min_documents: 1}
output:
  parquet: {shards: 3, row_group_rows: 20}
  tokens: {tokenizer: tokenizer.json, formats: [megatron, parquet], sequence_length: 48}
"""
TALKS = 60


@dataclass
class Traced:
    """A finished run and what went into it."""

    root: str
    lock: Lock
    manifests: Manifests
    #: Identifier to text of what was written to the sources of documents.
    texts: dict[str, str] = field(default_factory=dict)
    #: English and German side of each pair.
    pairs: list[tuple[str, str]] = field(default_factory=list)


class _Silent:
    def skipped(self, name):
        pass

    def started(self, name, *, total, unit, look=None):
        pass

    def finished(self, name):
        pass


def _words(draw: random.Random, prefix: str, size: int) -> str:
    letters = "abcdefghijklmnopäöüß"
    return " ".join(prefix + "".join(draw.choices(letters, k=5)) for _ in range(size))


def _write_inputs(folder: Path) -> tuple[dict[str, str], list[tuple[str, str]]]:
    draw = random.Random(1)
    pairs = [(_words(draw, "t", 8), _words(draw, "s", 8)) for _ in range(TALKS)]
    web = [
        {"lang": lang, "id": f"{lang}{i}", "url": f"https://example.org/{lang}/{i}",
         "text": _words(draw, lang, draw.randint(3, 40))}
        for lang in ("eng", "deu", "swh") for i in range(40)
    ]  # fmt: skip
    web += [{"lang": "eng", "id": f"side{i}", "text": pair[0]} for i, pair in enumerate(pairs)]
    web += [{"lang": "eng", "id": "again", "text": web[3]["text"]}]
    web += [{"lang": "eng", "id": "tiny", "text": "ab"}]
    plain = [{"lang": "fra", "id": f"fra{i}", "text": _words(draw, "fra", 12)} for i in range(30)]
    shouts = [{"id": "shout", "text": "LOUD " * 9}]
    for name, rows in (("web", web), ("plain", plain), ("shouts", shouts)):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    with (folder / "web.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"id": "broken", "text": \n')
    lines = ["eng\tdeu", *("\t".join(pair) for pair in pairs)]
    (folder / "talks.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {row["id"]: row["text"] for row in (*web, *plain, *shouts)}, pairs


def _write_tokenizer(path: Path, texts: list[str]) -> None:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=500, special_tokens=["<|endoftext|>"], initial_alphabet=alphabet,
        show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.save(str(path))


@pytest.fixture(scope="session")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    """The finished run with its hand-over; do not change it."""
    folder = tmp_path_factory.mktemp("traced")
    texts, pairs = _write_inputs(folder)
    _write_tokenizer(folder / "tokenizer.json", list(texts.values()))
    recipe = RECIPE.replace("tokenizer.json", str(folder / "tokenizer.json"))
    (folder / "recipe.yaml").write_text(recipe, encoding="utf-8")
    root = str(folder / "out")
    lock = prepare(load_recipe(folder / "recipe.yaml"), root, lambda _: None)
    manifests = execute(Job(lock, root, run_locally, 1, _Silent()))
    return Traced(root, lock, manifests, texts, pairs)
