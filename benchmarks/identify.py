"""Accuracy and cost of language identification, with and without restriction to the script.

    GLOTMILL_DATA=DIR python benchmarks/identify.py [--model builtin] [--documents 20]

Documents are ten sentences of one source and language, joined. The gold label is that of the
source; a prediction counts as right where the registry says that it confirms the gold label.
Prints the tables of ``docs/identification.md``. The data set's own reader wants `lxml` and
`fonttools`.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from glotmill.language_registry import confirms, lid_label
from glotmill.schemas import recipe
from glotmill.transforms.identify import IdentifyLanguage
from glotmill.transforms.lid_candidates import ScriptLabels, restricted
from glotmill.transforms.measure import MeasureText
from glotmill.transforms.models.fasttext_model import FastTextModel

SOURCES = ("udhr", "seed", "ntrex", "bible", "tatoeba")
SENTENCES = 10
LENGTHS = (100, 200, 400, 1000)


class Document(NamedTuple):
    """A text with what is known of it."""

    gold: str
    text: str
    script: str


class Prediction(NamedTuple):
    """A label in the form `xxx_Xxxx`, or `xxx` where no script is looked at; none found: ''."""

    label: str
    score: float


Predictor = Callable[[str, str], Prediction]


def sentences(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Source, gold label and text of each sentence of the larger data set."""
    spec = importlib.util.spec_from_file_location("devtext", folder / "tools" / "devtext.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"{folder} has no tools/devtext.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for source, code, script, _, text in module.iter_dev(str(folder)):
        if source in SOURCES:
            yield source, f"{code}_{script}", text


def documents(folder: Path, per_source: int) -> list[Document]:
    """Joins sentences and draws as many documents of each label and source by their hash."""
    parts: dict[tuple[str, str], list[str]] = defaultdict(list)
    for source, gold, text in sentences(folder):
        parts[gold, source].append(text)
    drawn = [
        (gold, text)
        for (gold, _), texts in sorted(parts.items())
        for text in sorted(_joined(texts), key=_hash)[:per_source]
    ]
    batch = pa.record_batch({"text": [text for _, text in drawn]})
    scripts = MeasureText().annotate(batch).column("script").to_pylist()
    return [Document(*each, script) for each, script in zip(drawn, scripts, strict=True)]


def _joined(texts: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(texts), SENTENCES):
        yield " ".join(texts[start : start + SENTENCES])


def _hash(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).digest()


def sample(text: str, length: int, where: str) -> str:
    """The start of a text, or (`spread`) as much of its start, its middle and its end."""
    if where == "start" or len(text) <= length:
        return text[:length]
    part = length // 3
    middle = (len(text) - part) // 2
    return " ".join((text[:part], text[middle : middle + part], text[-part:]))


class Predictors:
    """The ways to predict that are compared."""

    def __init__(self, model: FastTextModel) -> None:
        self.model = model
        self.labels = ScriptLabels(model.family, model.labels)

    def free(self, text: str, script: str) -> Prediction:
        """The likeliest label of all; its language alone is compared."""
        score, raw = self.model.predict(text, 1)[0]
        return Prediction(lid_label(self.model.family, raw)[0][:3], score)

    def top5(self, text: str, script: str) -> Prediction:
        """The likeliest label of the script among the first five."""
        known = self.labels.of(script)
        for score, raw in self.model.predict(text, 5):
            if raw in known:
                return Prediction(known[raw], score)
        return Prediction("", 0.0)

    def all(self, text: str, script: str) -> Prediction:
        """The likeliest label of the script; what the stage does."""
        label, score = restricted(self.model, text, self.labels.of(script))
        return Prediction(label or "", score)

    def shared(self, text: str, script: str) -> Prediction:
        """As `all`; the score is a share of what all labels of the script have."""
        known = self.labels.of(script)
        found = [(s, raw) for s, raw in self.model.predict(text, None) if raw in known]
        if not found:
            return Prediction("", 0.0)
        return Prediction(known[found[0][1]], found[0][0] / max(1e-9, sum(s for s, _ in found)))


class Scores:
    """Right and wrong answers by gold label."""

    def __init__(self, golds: Sequence[str]) -> None:
        self._golds = golds
        self._classes: dict[tuple[str, str], str] = {}
        self.right: Counter[str] = Counter()
        self.total: Counter[str] = Counter()
        self.claimed: Counter[str] = Counter()

    def add(self, gold: str, predicted: str, script: str) -> None:
        """Books one answer to a text in a script."""
        self.total[gold] += 1
        if predicted and confirms(gold, predicted):
            self.right[gold] += 1
            self.claimed[gold] += 1
        elif predicted:
            self.claimed[self._class(predicted, script)] += 1

    def _class(self, predicted: str, script: str) -> str:
        """The gold label that a wrong answer counts against, in the script of the text if any."""
        if (predicted, script) not in self._classes:
            agreeing = [gold for gold in self._golds if confirms(gold, predicted)]
            same = [gold for gold in agreeing if gold[:3] == predicted[:3]]
            written = [gold for gold in same if gold[4:] == script]
            self._classes[predicted, script] = next(iter(written + same + agreeing), "")
        return self._classes[predicted, script]

    def f1(self, gold: str) -> float:
        """F1 of one label."""
        return 2 * self.right[gold] / max(1, self.total[gold] + self.claimed[gold])

    @property
    def macro_f1(self) -> float:
        """Mean F1 over labels."""
        return sum(map(self.f1, self.total)) / max(1, len(self.total))

    @property
    def macro_accuracy(self) -> float:
        """Mean accuracy over labels."""
        return sum(self.right[g] / n for g, n in self.total.items()) / max(1, len(self.total))


def covered_labels(docs: Sequence[Document], model: FastTextModel) -> list[str]:
    """Gold labels that some label of the model confirms."""
    known = ScriptLabels(model.family, model.labels)
    return [
        gold
        for gold in sorted({doc.gold for doc in docs})
        if any(confirms(gold, label) for label in known.of(gold[4:]).values())
    ]


def judge(
    docs: Sequence[Document], golds: Sequence[str], predict: Predictor, length: int, where: str
) -> tuple[Scores, float]:
    """Scores, and microseconds of CPU a text."""
    scores = Scores(golds)
    texts = [(sample(doc.text, length, where), doc) for doc in docs]
    start = time.process_time()
    found = [predict(text, doc.script) for text, doc in texts]
    spent = time.process_time() - start
    for prediction, doc in zip(found, docs, strict=True):
        scores.add(doc.gold, prediction.label, doc.script)
    return scores, spent / max(1, len(docs)) * 1e6


def print_head(*names: str) -> None:
    """Begins a table of Markdown."""
    print("\n| " + " | ".join(names) + " |\n|" + "---|" * len(names))


def print_lengths(covered: Sequence[Document], golds: Sequence[str], ways: Predictors) -> None:
    """Macro F1 and accuracy by length and way."""
    print_head("sample", "labels looked at", "macro F1", "macro accuracy", "µs a text")
    for length in LENGTHS:
        for name in ("free", "top5", "all"):
            scores, cost = judge(covered, golds, getattr(ways, name), length, "start")
            row = f"{scores.macro_f1:.4f} | {scores.macro_accuracy:.4f} | {cost:.0f}"
            print(f"| {length} | {name} | {row} |", flush=True)


def print_places(covered: Sequence[Document], golds: Sequence[str], ways: Predictors) -> None:
    """The beginning of documents against three places, where there is more than the sample."""
    print_head("sample", "place", "documents", "macro F1", "macro accuracy", "µs a text")
    for length in LENGTHS:
        longer = [doc for doc in covered if len(doc.text) >= 2 * length]
        for where in ("start", "spread"):
            scores, cost = judge(longer, golds, ways.all, length, where)
            row = f"{scores.macro_f1:.4f} | {scores.macro_accuracy:.4f} | {cost:.0f}"
            print(f"| {length} | {where} | {len(longer):,} | {row} |", flush=True)


def print_meanings(
    covered: Sequence[Document], others: Sequence[Document], ways: Predictors
) -> None:
    """What the two meanings of the score do at a threshold, on known and unknown languages."""
    print_head("score", "threshold", "known: right", "known: wrong", "unknown: accepted")
    for name in ("all", "shared"):
        known = [(getattr(ways, name)(d.text[:400], d.script), d) for d in covered]
        unknown = [getattr(ways, name)(d.text[:400], d.script) for d in others]
        for threshold in (0.3, 0.5, 0.7, 0.9):
            taken = [(p, d) for p, d in known if p.label and p.score >= threshold]
            right = sum(confirms(d.gold, p.label) for p, d in taken)
            passed = sum(p.score >= threshold for p in unknown)
            n, m = max(1, len(known)), max(1, len(unknown))
            row = f"{right / n:.4f} | {(len(taken) - right) / n:.4f} | {passed / m:.4f}"
            print(f"| {name} | {threshold} | {row} |", flush=True)


def print_labels(covered: Sequence[Document], golds: Sequence[str], ways: Predictors) -> None:
    """F1 of each label at the default length, without and with restriction."""
    free, _ = judge(covered, golds, ways.free, 400, "start")
    all_, _ = judge(covered, golds, ways.all, 400, "start")
    cells = [
        f"{gold} | {free.total[gold]} | {free.f1(gold):.2f} | {all_.f1(gold):.2f}" for gold in golds
    ]
    third = -(-len(cells) // 3)
    cells += [" | | | "] * (3 * third - len(cells))
    print_head(*("label", "n", "free", "script") * 3)
    for row in zip(cells[:third], cells[third : 2 * third], cells[2 * third :], strict=True):
        print("| " + " | ".join(row) + " |")


def print_stage(docs: Sequence[Document], model: str) -> None:
    """CPU time of the whole stage, at its defaults."""
    batch = pa.record_batch(
        {"text": [d.text for d in docs], "original_code": [d.gold[:3] for d in docs]}
    )
    measured = MeasureText().annotate(batch)
    stage = IdentifyLanguage(recipe.Identify(model=model))
    stage.setup()
    stage.annotate(measured)
    start = time.process_time()
    verdicts = Counter(stage.annotate(measured).column("verdict").to_pylist())
    spent = time.process_time() - start
    cost, rate = spent / len(docs) * 1e6, len(docs) / spent
    print(f"\nstage: {cost:.0f} µs of CPU a document, {rate:,.0f} documents/s")
    print(f"verdicts: {dict(verdicts)}")


def main() -> None:
    """Prints all tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="builtin")
    parser.add_argument("--documents", type=int, default=20, help="per label and source")
    arguments = parser.parse_args()
    model = FastTextModel(arguments.model)
    docs = documents(Path(os.environ["GLOTMILL_DATA"]), arguments.documents)
    golds = covered_labels(docs, model)
    covered = [doc for doc in docs if doc.gold in set(golds)]
    others = [doc for doc in docs if doc.gold not in set(golds)]
    ways = Predictors(model)
    print(f"{len(covered):,} documents of {len(golds)} labels, {len(others):,} of other languages")
    print_lengths(covered, golds, ways)
    print_places(covered, golds, ways)
    print_meanings(covered, others, ways)
    print_labels(covered, golds, ways)
    print_stage(docs, arguments.model)


if __name__ == "__main__":
    main()
