"""Croissant: what the shards hold, in the vocabulary of MLCommons for data sets.

Version 1.1 of the format (http://mlcommons.org/croissant/1.1). Every file is listed with its size
and SHA-256; the files of a kind are one set, whose rows are records with typed fields.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa

from glotmill.schemas.manifest import FileEntry
from glotmill.schemas.tables import CORPUS, PACKED, TOKEN_ROWS
from glotmill.schemas.wording import counted
from glotmill.transforms.findings import some_of
from glotmill.transforms.licences import UNKNOWN

PATH = "croissant.json"
_VERSION = "http://mlcommons.org/croissant/1.1"
_PARQUET = "application/x-parquet"

# Folder of each set of files, its record set, its schema, and what a record is.
_SETS = (
    ("shards", "documents", CORPUS, "A drawn document: its text, where it is from, its counts."),
    ("tokens/parquet", "tokens", TOKEN_ROWS, "The tokens of a drawn document."),
    ("tokens/packed", "sequences", PACKED, "A sequence of tokens packed from documents."),
)

_DESCRIPTIONS = {
    "text": "Normalised text; of parallel text the pairs as the template writes them.",
    "label": "ISO 639-3 code and ISO 15924 code, or several of them with hyphens between.",
    "source": "Name of the source in the recipe.",
    "category": "Part of the mixture.",
    "domain": "Field of the text, where the source names one.",
    "licence": "Licence of the source, where it names one.",
    "path": "File that the document was read from.",
    "offset": "Byte in the decompressed file, or row of Parquet, where it began.",
    "external_id": "Identifier in its source.",
    "url": "Address in its source.",
    "original_code": "Code of the language as the source gives it.",
    "script": "ISO 15924 code of the script that most letters are of.",
    "verdict": "How declared and identified language relate.",
    "num_bytes": "UTF-8 bytes.",
    "num_characters": "Code points.",
    "num_words": "Words by script.",
    "num_whitespace_words": "Runs without white space.",
    "num_sentences": "Sentences.",
    "num_tokens": "Tokens, with those that begin and end the document.",
    "content_hash": "xxh3-128 of the normalised text.",
    "cluster_size": "Documents that it stands for, itself included.",
    "copy": "0 for the first epoch of a document, 1 for the second.",
    "tier": "Tier of its label in the mixture.",
    "dataset": "Dataset of training.yaml: its split, stage of training, category and tier.",
    "input_ids": "Tokens.",
    "document_lengths": "Tokens of each piece of a document, in order.",
    "labels": "Label of each piece.",
    "categories": "Category of the document of each piece.",
    "sources": "Source of the document of each piece.",
    "documents": "Content hash of the document of each piece.",
}

# Of a path the split. It also gives a split back, as mlcroissant (1.1.1) applies it twice.
_SPLIT_OF_PATH = r"^(?:.*/)?(train|validation)(?:-\d+-of-\d+\.parquet)?$"

# Terms of the vocabulary, as the specification wants them written into every file.
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "sc": "https://schema.org/",
    "annotation": "cr:annotation",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "excludes": "cr:excludes",
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "readLines": "cr:readLines",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
    "unArchive": "cr:unArchive",
    "value": "cr:value",
}


def croissant(
    name: str,
    description: str,
    licences: Sequence[str],
    files: Sequence[FileEntry],
    *,
    unlicensed: Sequence[str] = (),
) -> bytes:
    """The metadata as JSON-LD.

    Args:
        name: of the corpus.
        description: of it, for a person.
        licences: of its sources; empty where none is known.
        files: of the corpus, in any order; those of no set are left out.
        unlicensed: sources whose licence is not known.
    """
    listed = [*licences, *([_unknown_licence(unlicensed)] if unlicensed else [])]
    sets = [each for each in _SETS if _of_folder(files, each[0])]
    document: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": _VERSION,
        "name": name,
        "description": description,
        **({"license": listed} if listed else {}),
        "distribution": [entry for each in sets for entry in _distribution(files, each[0])],
        "recordSet": [_splits(), *(_record_set(*each) for each in sets)],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _unknown_licence(sources: Sequence[str]) -> dict[str, str]:
    """What stands beside the licences, or all text would seem to be under one of them."""
    return {
        "@type": "sc:CreativeWork",
        "name": UNKNOWN,
        "description": f"The recipe names no licence for {counted(len(sources), 'source')}: "
        f"{some_of(sources)}. Who passes their text on has to find it out.",
    }


def _of_folder(files: Sequence[FileEntry], folder: str) -> list[FileEntry]:
    """Parquet files of a folder that hold rows, by path."""
    found = [f for f in files if f.path.startswith(f"{folder}/") and f.path.endswith(".parquet")]
    return sorted((file for file in found if file.num_rows), key=lambda file: file.path)


def _distribution(files: Sequence[FileEntry], folder: str) -> list[dict[str, Any]]:
    """Every file of a folder, and the set of them."""
    found = _of_folder(files, folder)
    listed = [
        {
            "@type": "cr:FileObject",
            "@id": file.path,
            "name": file.path,
            "contentUrl": file.path,
            "contentSize": f"{file.num_bytes} B",
            "encodingFormat": _PARQUET,
            "sha256": file.sha256,
        }
        for file in found
    ]
    splits = [s for s in ("train", "validation") if any(f"/{s}-" in f.path for f in found)]
    return [
        *listed,
        {
            "@type": "cr:FileSet",
            "@id": folder,
            "name": folder,
            "description": f"The files of {folder}, of both splits.",
            "encodingFormat": _PARQUET,
            "includes": [f"{folder}/{split}-*.parquet" for split in splits],
        },
    ]


def _splits() -> dict[str, Any]:
    """The splits, which the names of the files begin with."""
    return {
        "@type": "cr:RecordSet",
        "@id": "splits",
        "name": "splits",
        "description": "The splits there may be.",
        "dataType": "cr:Split",
        "key": {"@id": "splits/name"},
        "field": [
            {
                "@type": "cr:Field",
                "@id": "splits/name",
                "name": "name",
                "dataType": "sc:Text",
            }
        ],
        "data": [{"splits/name": "train"}, {"splits/name": "validation"}],
    }


def _record_set(folder: str, name: str, schema: pa.Schema, description: str) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": description,
        "field": [_split_field(folder, name), *(_field(folder, name, field) for field in schema)],
    }


def _split_field(folder: str, name: str) -> dict[str, Any]:
    """The split of a record, told from the path of its file."""
    return {
        "@type": "cr:Field",
        "@id": f"{name}/split",
        "name": "split",
        "description": "Split, as the file's name tells it.",
        "dataType": "sc:Text",
        "source": {
            "fileSet": {"@id": folder},
            "extract": {"fileProperty": "fullpath"},
            "transform": {"regex": _SPLIT_OF_PATH},
        },
        "references": {"field": {"@id": "splits/name"}},
    }


def _field(folder: str, name: str, field: pa.Field) -> dict[str, Any]:
    is_list = pa.types.is_list(field.type)
    of_array = {"isArray": True, "arrayShape": "-1"} if is_list else {}
    return {
        "@type": "cr:Field",
        "@id": f"{name}/{field.name}",
        "name": field.name,
        "description": _DESCRIPTIONS[field.name],
        "dataType": _data_type(field.type.value_type if is_list else field.type),
        **of_array,
        "source": {"fileSet": {"@id": folder}, "extract": {"column": field.name}},
    }


def _data_type(kind: pa.DataType) -> str:
    """The name of a type in the vocabulary.

    >>> _data_type(pa.int32()), _data_type(pa.string()), _data_type(pa.binary(16))
    ('cr:Int32', 'sc:Text', 'sc:Text')
    """
    if pa.types.is_integer(kind):
        return f"cr:Int{kind.bit_width}"
    # The vocabulary has no type for bytes.
    return "sc:Text"
