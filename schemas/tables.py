"""Arrow schemas of every table glotmill writes; column names live here and nowhere else."""

from __future__ import annotations

import pyarrow as pa

from glotmill.schemas.values import MANY_LANGUAGES as MANY_LANGUAGES

# Counted per document and summed per group. Units: UTF-8 bytes, code points, words by script
# (see transforms/measure.py), whitespace-separated words, sentences.
COUNTS = (
    "num_bytes",
    "num_characters",
    "num_words",
    "num_whitespace_words",
    "num_sentences",
)

_COUNT_FIELDS = [pa.field(name, pa.int64(), nullable=False) for name in COUNTS]

#: What a reader delivers: the text, where it stood, and what its source says of it.
RECORDS = pa.schema(
    [
        pa.field("text", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        # Byte offset in the decompressed file; the row number for Parquet.
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("external_id", pa.string()),
        pa.field("url", pa.string()),
        # The language code as the source gives it.
        pa.field("original_code", pa.string()),
    ]
)

ANNOTATIONS = {
    "normalise": [
        # Bit set of transforms.normalise.Change; 0 where the text came through untouched.
        pa.field("changes", pa.uint8(), nullable=False),
    ],
    "measure": [
        pa.field("script", pa.string(), nullable=False),
        pa.field("script_share", pa.float32(), nullable=False),
        pa.field("num_letters", pa.int64(), nullable=False),
        *_COUNT_FIELDS,
        pa.field("repeated_line_share", pa.float32(), nullable=False),
        pa.field("repeated_ngram_share", pa.float32(), nullable=False),
    ],
    "identify": [
        # What the original code resolves to, in the recognised script where it names none.
        pa.field("declared_label", pa.string()),
        pa.field("identified_label", pa.string()),
        pa.field("identified_score", pa.float32()),
        # One of VERDICTS.
        pa.field("verdict", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
    ],
    "hash": [
        # xxh3-128 of the normalised text, big-endian.
        pa.field("content_hash", pa.binary(16), nullable=False),
    ],
}

#: How declared language, identified language and script relate.
VERDICTS = (
    "confirmed",  # the identifier agrees with what was declared
    "contradicted",  # it names another language, with enough confidence
    "unsure",  # its confidence is below the threshold
    "unverifiable",  # it does not know the declared language
    "unknown_code",  # the declared code is no language code we know
    "too_short",  # too few letters to judge
    "identified",  # nothing was declared; the identifier's answer is the label
    "unidentified",  # nothing was declared and the identifier is unsure
)


def sketch_fields(bands: int, rows: int) -> list[pa.Field]:
    """Columns that are added where near duplicates are to be removed."""
    return [
        # Shingles of the text, repeats counted; 0 where it is too short to be compared.
        pa.field("num_shingles", pa.int32(), nullable=False),
        # One key of 64 bits a band, little-endian.
        pa.field("band_keys", pa.binary(8 * bands), nullable=False),
        # The lowest byte of each value of the signature.
        pa.field("sketch", pa.binary(bands * rows), nullable=False),
    ]


#: Added where the recipe asks for it: the share of sentences that confirm the label.
SENTENCE_CONSISTENCY = pa.field("sentence_consistency", pa.float32())

DROP_REASON = pa.field("drop_reason", pa.string())

#: Added for parallel text. There `text` is the segments with a line feed between them, `label` is
#: the labels sorted and joined by a hyphen (`deu_Latn-eng_Latn`; `mul` for more than three), and
#: counts are sums over the segments.
PAIRS = [
    # Label and UTF-8 length of each segment, in the order of the data: the first is the source.
    pa.field("segment_labels", pa.list_(pa.field("item", pa.string(), nullable=False))),
    pa.field("segment_bytes", pa.list_(pa.field("item", pa.int32(), nullable=False))),
    # xxh3-64 of each segment, without regard to case and punctuation, for caps on repeated sides.
    pa.field("segment_hashes", pa.list_(pa.field("item", pa.uint64(), nullable=False))),
    # The document inside the file, where the format knows one; pairs of a document stay together.
    pa.field("document", pa.string()),
    pa.field("scores", pa.map_(pa.string(), pa.float32())),
]

#: Of the sides of a pair, while they are compared: a hash of each word, case folded.
WORD_HASHES = pa.field(
    "word_hashes", pa.list_(pa.field("item", pa.uint64(), nullable=False)), nullable=False
)

#: While it is decided what is dropped: number of the evaluation set whose text is in the document.
CONTAMINATED_BY = pa.field("contaminated_by", pa.int16())

#: One row a kept document; the row number is half of its identity.
DOCUMENTS = pa.schema([*RECORDS, *(field for fields in ANNOTATIONS.values() for field in fields)])

DROPPED = DOCUMENTS.append(DROP_REASON)

REJECTED = pa.schema(
    [
        pa.field("source", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("excerpt", pa.string(), nullable=False),
    ]
)

#: Rows of one unit that have equals elsewhere: those to remove, and the one that stays.
REMOVALS = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("removed", pa.bool_(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        # The doc_id of the row that stays; it names the cluster.
        pa.field("cluster", pa.int64(), nullable=False),
        pa.field("cluster_size", pa.int64(), nullable=False),
    ]
)

#: Clusters of near duplicates that are too large to be believed.
OVERSIZED = pa.schema(
    [
        pa.field("cluster", pa.int64(), nullable=False),
        pa.field("num_documents", pa.int64(), nullable=False),
        # Different texts among them, and the share of the label's documents that these are.
        pa.field("num_texts", pa.int64(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("label_share", pa.float64(), nullable=False),
        pa.field("samples", pa.list_(pa.string()), nullable=False),
        # The doc_id of every document, where they are kept.
        pa.field("kept", pa.list_(pa.int64()), nullable=False),
    ]
)

#: What there is of each size of cluster; a document is counted under its own label.
CLUSTER_SIZES = pa.schema(
    [
        pa.field("category", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("cluster_size", pa.int64(), nullable=False),
        # Documents that deduplication leaves, and their sums.
        pa.field("num_documents", pa.int64(), nullable=False),
        *_COUNT_FIELDS,
        # Documents that ingest kept, those that deduplication removes too.
        pa.field("num_kept", pa.int64(), nullable=False),
        # Documents that the filters dropped; null where they took no part in deduplication.
        pa.field("num_dropped", pa.int64()),
    ]
)

#: How often documents are drawn by the size of their cluster.
REHYDRATION = pa.schema(
    [
        # "" stands for every label that has no rows of its own.
        pa.field("label", pa.string(), nullable=False),
        # The weight holds from this size up to the label's next.
        pa.field("cluster_size", pa.int64(), nullable=False),
        # Share of documents that the filters dropped; null where the recipe gives the weights.
        pa.field("removal_rate", pa.float64()),
        pa.field("weight", pa.float64(), nullable=False),
    ]
)

#: Sums by group, written by every stage; the report is made of these.
STATISTICS_KEYS = (
    "stage",  # ingest | deduplicate | mix
    "outcome",  # kept | dropped | rejected | train | validation | unsampled
    "reason",
    "source",
    "declared_label",
    "identified_label",
    "verdict",
    "script",
    "label",
)
STATISTICS = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in STATISTICS_KEYS),
        pa.field("num_documents", pa.int64(), nullable=False),
        *_COUNT_FIELDS,
    ]
)

#: Pairs by the order of their languages, which statistics leave aside.
DIRECTION_KEYS = (
    "outcome",  # available: what deduplication left, as the data has it | train | validation
    "reason",  # repeated: copies beyond a document's first, and pairs written the other way too
    "source",
    "label",
    "direction",  # labels with `>` between them; that of more than three languages is the label
)
DIRECTIONS = pa.schema(
    [
        *(pa.field(name, pa.string(), nullable=False) for name in DIRECTION_KEYS),
        # Pseudo-documents, that is rows of shards; 0 of what is available.
        pa.field("num_documents", pa.int64(), nullable=False),
        pa.field("num_pairs", pa.int64(), nullable=False),
        *_COUNT_FIELDS,
    ]
)

#: What may be drawn, and what may not: sums over documents of a group.
AVAILABLE = pa.schema(
    [
        pa.field("category", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        # "" where the source names none.
        pa.field("domain", pa.string(), nullable=False),
        # train | validation | excluded: from training, as it would leak what is held out, or
        # as no pseudo-document holds it.
        pa.field("split", pa.string(), nullable=False),
        # Pairs that are written a second way round.
        pa.field("again", pa.bool_(), nullable=False),
        # Pairs, where the category is bitext.
        pa.field("num_documents", pa.int64(), nullable=False),
        *_COUNT_FIELDS,
        # 0 without a tokenizer.
        pa.field("num_tokens", pa.int64(), nullable=False),
        pa.field("num_fallback_tokens", pa.int64(), nullable=False),
    ]
)

#: The mixture: what a label has and how much of it is drawn.
PLAN = pa.schema(
    [
        pa.field("category", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("tier", pa.string(), nullable=False),
        # All text of the label, held out or not; tiers go by it. Pairs count once.
        pa.field("num_documents", pa.int64(), nullable=False),
        *_COUNT_FIELDS,
        pa.field("num_tokens", pa.int64()),
        # Number of documents held out, and the largest split draw among them (-1: none).
        pa.field("num_validation_documents", pa.int64(), nullable=False),
        pa.field("validation_threshold", pa.int64(), nullable=False),
        # Epochs: how often each training document is drawn, on average, before rehydration.
        pa.field("rate", pa.float64(), nullable=False),
        # Mean weight that rehydration gives, over the unit of the tiers; 1 without it.
        pa.field("weight", pa.float64(), nullable=False),
        # What there is to draw, in the unit of the plan, as all below.
        pa.field("available", pa.int64()),
        # What is to be drawn.
        pa.field("planned_count", pa.float64(), nullable=False),
        # planned_count over available; 0 where nothing is available.
        pa.field("epochs", pa.float64()),
        # planned_count over that of all rows.
        pa.field("share", pa.float64()),
        # What keeps the label from more, or from less; one of transforms.plan.BINDINGS.
        pa.field("binding", pa.string()),
        # Wishes of the recipe that are not kept, with commas; "" where all are.
        pa.field("relaxed", pa.string()),
    ]
)

#: What is to be drawn of each domain of a label, and at which rate that is reached.
RATES = pa.schema(
    [
        pa.field("category", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("available", pa.int64(), nullable=False),
        pa.field("target", pa.float64(), nullable=False),
        # The target is no more of what is available; null where there is no such cap.
        pa.field("max_epochs", pa.float64()),
        # Largest share of its label; null where there is no such cap.
        pa.field("max_share", pa.float64()),
        # Of the draw; the plan gives target over available and mean weight.
        pa.field("rate", pa.float64(), nullable=False),
        # What is drawn at that rate; null until documents were looked at.
        pa.field("realised", pa.int64()),
    ]
)

#: One row a drawn document of the finished shards.
CORPUS = pa.schema(
    [
        pa.field("text", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        pa.field("domain", pa.string()),
        pa.field("licence", pa.string()),
        pa.field("path", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("external_id", pa.string()),
        pa.field("url", pa.string()),
        pa.field("original_code", pa.string()),
        pa.field("script", pa.string(), nullable=False),
        pa.field("verdict", pa.string(), nullable=False),
        *_COUNT_FIELDS,
        # With those that begin and end it; null where texts are not tokenized.
        pa.field("num_tokens", pa.int64()),
        pa.field("content_hash", pa.binary(16), nullable=False),
        pa.field("cluster_size", pa.int64(), nullable=False),
        # 0 for the first epoch of a document, 1 for the second, ...
        pa.field("copy", pa.int32(), nullable=False),
    ]
)

#: What may be drawn of a unit, one row a document or pseudo-document, in the order in which
#: `transforms.drawables` gives them. Where the recipe names a tokenizer there is also `tokens`, a
#: list of uint16 or int32.
DRAWABLES = pa.schema(
    [
        pa.field("label", pa.string(), nullable=False),
        pa.field("content_hash", pa.binary(16), nullable=False),
        pa.field("held_out", pa.bool_(), nullable=False),
        # Rank among the documents of its group: those of the smallest are drawn first.
        pa.field("draw", pa.int64(), nullable=False),
        # Pairs that stand in another pseudo-document the other way round.
        pa.field("again", pa.bool_(), nullable=False),
        # Pairs in a pseudo-document; 1 for other documents.
        pa.field("num_pairs", pa.int64(), nullable=False),
        pa.field("cluster_size", pa.int64(), nullable=False),
        *_COUNT_FIELDS,
        # With the tokens that begin and end a document; 0 without a tokenizer.
        pa.field("num_tokens", pa.int64(), nullable=False),
        # Of these, bytes for which the vocabulary has no piece.
        pa.field("num_fallback_tokens", pa.int64(), nullable=False),
    ]
)

#: Sums over what training may draw, by size of cluster.
DRAWABLE_SIZES = pa.schema(
    [
        pa.field("category", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("cluster_size", pa.int64(), nullable=False),
        pa.field("num_documents", pa.int64(), nullable=False),
        *_COUNT_FIELDS,
        pa.field("num_tokens", pa.int64(), nullable=False),
        pa.field("num_fallback_tokens", pa.int64(), nullable=False),
    ]
)

#: Tokens of the sides of sampled pairs, without those that begin and end documents.
FERTILITY = pa.schema(
    [
        # The label of the pair, and that of the side.
        pa.field("pair", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("num_sentences", pa.int64(), nullable=False),
        pa.field("num_bytes", pa.int64(), nullable=False),
        pa.field("num_tokens", pa.int64(), nullable=False),
    ]
)

#: Sums over the rows of shards.
DRAWN_SUMS = pa.schema(
    [
        # train | validation
        pa.field("split", pa.string(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        # "" where the source names none, as for the licence.
        pa.field("domain", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("licence", pa.string(), nullable=False),
        # Rows of shards: copies count, pseudo-documents count once.
        pa.field("num_documents", pa.int64(), nullable=False),
        *_COUNT_FIELDS,
        pa.field("num_tokens", pa.int64(), nullable=False),
    ]
)

#: The plan beside what was drawn for training.
REALISED = pa.schema(
    [
        pa.field("category", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("tier", pa.string(), nullable=False),
        # Both in the unit of the plan.
        pa.field("planned_count", pa.float64(), nullable=False),
        pa.field("realised_count", pa.int64(), nullable=False),
        pa.field("num_documents", pa.int64(), nullable=False),
        *_COUNT_FIELDS,
        pa.field("num_tokens", pa.int64(), nullable=False),
    ]
)

_TOKEN_ABOUT = [
    pa.field("label", pa.string(), nullable=False),
    pa.field("category", pa.string(), nullable=False),
    pa.field("tier", pa.string(), nullable=False),
    pa.field("source", pa.string(), nullable=False),
    pa.field("licence", pa.string()),
    pa.field("content_hash", pa.binary(16), nullable=False),
    pa.field("copy", pa.int32(), nullable=False),
    pa.field("num_tokens", pa.int64(), nullable=False),
]

#: Documents as lists of tokens.
TOKEN_ROWS = pa.schema(
    [
        pa.field("input_ids", pa.list_(pa.int32()), nullable=False),
        *_TOKEN_ABOUT,
        # Of training.yaml: its split, stage of training, category and tier.
        pa.field("dataset", pa.string(), nullable=False),
    ]
)

#: One row a document of a dataset in Megatron's format, in its order: where its tokens are from.
TOKEN_DOCUMENTS = pa.schema(
    [
        *_TOKEN_ABOUT,
        pa.field("domain", pa.string()),
        pa.field("path", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("external_id", pa.string()),
        pa.field("url", pa.string()),
        pa.field("original_code", pa.string()),
        pa.field("num_bytes", pa.int64(), nullable=False),
    ]
)

#: Sequences of tokens, each of pieces of documents.
PACKED = pa.schema(
    [
        pa.field("input_ids", pa.list_(pa.int32()), nullable=False),
        # Tokens of each piece, in order; they add up to the sequence.
        pa.field("document_lengths", pa.list_(pa.int32()), nullable=False),
        # Of the document of each piece.
        pa.field("labels", pa.list_(pa.string()), nullable=False),
        pa.field("categories", pa.list_(pa.string()), nullable=False),
        pa.field("sources", pa.list_(pa.string()), nullable=False),
        # Its content hash.
        pa.field("documents", pa.list_(pa.binary()), nullable=False),
    ]
)
