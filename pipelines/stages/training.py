"""What the stage `mix` leaves for training frameworks beside the tokens: files that name them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from glotmill.pipelines.errors import UserError
from glotmill.schemas.curriculum import Stage
from glotmill.schemas.manifest import FileEntry
from glotmill.schemas.output import TokenOutput
from glotmill.schemas.recipe import Recipe
from glotmill.schemas.training import (
    TRAINING,
    TokenizerFile,
    Training,
    TrainingDataset,
    TrainingFileError,
    TrainingLabel,
    TrainingStage,
)
from glotmill.transforms import storage
from glotmill.transforms.tables import read_table, write_file
from glotmill.transforms.token_shards import (
    MEGATRON,
    certain_datasets,
    dataset_name,
    dataset_prefix,
    documents_path,
)
from glotmill.transforms.tokenize import TextTokenizer
from glotmill.transforms.training_files import MEGATRON as MEGATRON_ARGUMENTS
from glotmill.transforms.training_files import (
    NEOX,
    Ends,
    check_num_datasets,
    token_shares,
    write_training_files,
)

Split = Literal["train", "validation"]

_FOLDER = "tokens/tokenizer"
# What each kind of file is called where the libraries look for it.
_FILE_NAMES = {
    "huggingface": "tokenizer.json",
    "sentencepiece": "tokenizer.model",
    "tiktoken": "tokenizer.model",
}


def delete_training(root: str) -> None:
    """Deletes what an earlier run left: it would name token files that are gone or others now."""
    storage.delete([f"{root}/{name}" for name in (TRAINING, NEOX, MEGATRON_ARGUMENTS)])


def refuse_many_datasets(recipe: Recipe, plan: pa.Table) -> None:
    """Ends a run that would have more datasets than GPT-NeoX can blend, before they are written.

    Those that may stay empty are not counted; `write_training` counts what was drawn.

    Args:
        recipe: that is run.
        plan: in the schema PLAN.

    Raises:
        UserError: there would be too many.
    """
    options = recipe.output.tokens
    if options is None or "megatron" not in options.formats:
        return
    names = certain_datasets(plan, options.datasets, recipe.mix, recipe.bitext)
    try:
        check_num_datasets("train", len(names), at_least=True)
    except TrainingFileError as error:
        raise UserError(str(error)) from None


def write_training(
    root: str, recipe: Recipe, files: Sequence[FileEntry], plan: pa.Table, drawn: pa.Table
) -> list[FileEntry]:
    """Writes the tokenizer and the files that frameworks are started with.

    Args:
        root: the output directory.
        recipe: that is run.
        files: of the stage, those of the datasets among them.
        plan: in the schema PLAN.
        drawn: sums of the shards, in the schema DRAWN_SUMS.

    Returns:
        The files written; none where there is no dataset to train on.
    """
    options = recipe.output.tokens
    if options is None:
        return []
    text_tokenizer = TextTokenizer(options)
    copied, tokenizer = _write_tokenizer(root, options, text_tokenizer)
    train = _datasets(root, "train", files, options)
    datasets = [*train, *_datasets(root, "validation", files, options)]
    if not train:
        return copied
    training = Training(
        glotmill=1,
        name=recipe.name,
        tokenizer=tokenizer,
        dtype=text_tokenizer.dtype.name,
        datasets=datasets,
        labels=list(_labels(plan, drawn)),
        stages=_stages(train, recipe.mix.stages),
    )
    length = options.sequence_length
    try:
        ends = ends_of(text_tokenizer)
        return [*copied, *write_training_files(root, training, ends, sequence_length=length)]
    except TrainingFileError as error:
        raise UserError(str(error)) from None


def _write_tokenizer(
    root: str, options: TokenOutput, text_tokenizer: TextTokenizer
) -> tuple[list[FileEntry], TokenizerFile]:
    """Copies the tokenizer beside the tokens, so that they can be read wherever they go."""
    from glotmill.transforms.tokenizers.load import read_content

    tokenizer = text_tokenizer.tokenizer
    path = f"{_FOLDER}/{_FILE_NAMES[tokenizer.kind]}"
    contents = {path: read_content(options.tokenizer)}
    if tokenizer.kind == "huggingface":
        ends = {"eos_token": text_tokenizer.eos_id, "bos_token": text_tokenizer.bos_id}
        config = {"tokenizer_class": "PreTrainedTokenizerFast"}
        config |= {name: tokenizer.decode([id_]) for name, id_ in ends.items() if id_ is not None}
        contents[f"{_FOLDER}/tokenizer_config.json"] = orjson.dumps(
            config, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        )
    entries = [write_file(root, name, content) for name, content in contents.items()]
    described = TokenizerFile(
        kind=tokenizer.kind,
        path=path,
        sha256=tokenizer.sha256,
        vocab_size=tokenizer.vocab_size,
        eos_id=text_tokenizer.eos_id if options.append_eos else tokenizer.eos_id,
        bos_id=text_tokenizer.bos_id if options.prepend_bos else tokenizer.bos_id,
        pad_id=tokenizer.pad_id,
    )
    return entries, described


def ends_of(text_tokenizer: TextTokenizer) -> Ends:
    """Which tokens a tokenizer puts into files, and which its own file ends documents with."""
    tokenizer = text_tokenizer.tokenizer
    in_text = (tokenizer.vocabulary.text_size or tokenizer.vocab_size) - 1
    eos_id, own_eos_id = text_tokenizer.eos_id, tokenizer.eos_id
    largest_id = max(in_text, eos_id or 0, text_tokenizer.bos_id or 0)
    return Ends(largest_id=largest_id, eos_id=eos_id, own_eos_id=own_eos_id)


def _datasets(
    root: str, split: Split, files: Iterable[FileEntry], options: TokenOutput
) -> list[TrainingDataset]:
    """The datasets of a split, each weighted by its tokens."""
    indexed = "megatron" in options.formats
    found = (_indexed if indexed else _listed)(root, split, [file.path for file in files])
    num_tokens = [int(pc.sum(rows.column("num_tokens_sum")).as_py()) for rows in found.values()]
    return [
        TrainingDataset(
            name=name,
            split=split,
            category=rows.column("category")[0].as_py(),
            tier=_only(rows.column("tier")),
            prefix=dataset_prefix(name) if indexed else None,
            documents=documents_path(name) if indexed else None,
            num_documents=int(pc.sum(rows.column("num_tokens_count")).as_py()),
            num_tokens=count,
            weight=weight,
        )
        for (name, rows), count, weight in zip(
            found.items(), num_tokens, token_shares(num_tokens), strict=True
        )
    ]


def _indexed(root: str, split: Split, paths: Iterable[str]) -> dict[str, pa.Table]:
    """Sums of each dataset that has a `.bin`, by name."""
    prefix, suffix = f"{MEGATRON}/{split}-", ".documents.parquet"
    tables = sorted(path for path in paths if path.startswith(prefix) and path.endswith(suffix))
    names = [path.removeprefix(f"{MEGATRON}/").removesuffix(suffix) for path in tables]
    return {name: _sums(root, path) for name, path in zip(names, tables, strict=True)}


def _listed(root: str, split: Split, paths: Iterable[str]) -> dict[str, pa.Table]:
    """Sums of each dataset whose documents are rows of token lists, by name."""
    tables = [path for path in paths if path.startswith(f"tokens/parquet/{split}-")]
    if not tables:
        return {}
    rows = pa.concat_tables([_sums(root, path, "dataset") for path in tables])
    names = rows.column("dataset")
    return {name: rows.filter(pc.equal(names, name)) for name in sorted(names.unique().to_pylist())}


def _sums(root: str, path: str, *columns: str) -> pa.Table:
    """Documents and tokens of each category and tier in a table, and of other columns."""
    keys = ["category", "tier", *columns]
    rows = read_table(f"{root}/{path}", [*keys, "num_tokens"])
    wanted = [("num_tokens", "sum"), ("num_tokens", "count")]
    return rows.group_by(keys, use_threads=False).aggregate(wanted)


def _stages(datasets: Sequence[TrainingDataset], stages: Sequence[Stage]) -> list[TrainingStage]:
    """The stages that anything was drawn for, each with the datasets that are its own."""
    total = sum(dataset.num_tokens for dataset in datasets)
    found = []
    for stage in stages:
        own = [d for d in datasets if d.name.startswith(f"{dataset_name('train', stage.name)}-")]
        if own:
            share = sum(dataset.num_tokens for dataset in own) / total
            weights = {dataset.name: float(dataset.num_tokens) for dataset in own}
            found.append(TrainingStage(name=stage.name, share_of_tokens=share, weights=weights))
    return found


def _only(column: pa.ChunkedArray) -> str | None:
    """The value of a column that has one value throughout."""
    values = column.unique().to_pylist()
    return values[0] if len(values) == 1 else None


def _labels(plan: pa.Table, drawn: pa.Table) -> Iterator[TrainingLabel]:
    sums: dict[tuple[str, str, str], list[int]] = {}
    names = ["split", "category", "label", "num_tokens", "num_bytes"]
    for split, category, label, num_tokens, num_bytes in zip(
        *(drawn.column(name).to_pylist() for name in names), strict=True
    ):
        of_label = sums.setdefault((split, category, label), [0, 0])
        of_label[0] += num_tokens
        of_label[1] += num_bytes
    for row in plan.select(["category", "label", "tier"]).to_pylist():
        group = (row["category"], row["label"])
        num_tokens, num_bytes = sums.get(("train", *group), (0, 0))
        held_out, _ = sums.get(("validation", *group), (0, 0))
        yield TrainingLabel(
            **row, num_tokens=num_tokens, num_bytes=num_bytes, num_validation_tokens=held_out
        )
