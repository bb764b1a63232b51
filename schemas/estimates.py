"""What a plan before the run estimates: sums by source, category and label, with their errors."""

from __future__ import annotations

import pyarrow as pa

from glotmill.schemas.tables import COUNTS

#: What is estimated of each group; `num_tokens` is of kept documents, and 0 without a tokenizer.
QUANTITIES = ("num_documents", *COUNTS, "num_tokens")

#: Half the width of an interval of 95% goes by the name of what it is of, with this behind.
ERROR = "_error"

#: One row a group of documents and outcome; written to `plan/estimates.parquet`.
ESTIMATES = pa.schema(
    [
        # total | category | label | source | source_label
        pa.field("level", pa.string(), nullable=False),
        # "" where the row is not of one.
        pa.field("source", pa.string(), nullable=False),
        pa.field("category", pa.string(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        # read | kept | dropped | rejected; read is the sum of the others.
        pa.field("outcome", pa.string(), nullable=False),
        # Of sources, why; "" for all reasons.
        pa.field("reason", pa.string(), nullable=False),
        # Slices that were read, and those of them in which there is any of it.
        pa.field("num_slices", pa.int64(), nullable=False),
        pa.field("num_seen", pa.int64(), nullable=False),
        *(
            field
            for name in QUANTITIES
            for field in (
                pa.field(name, pa.float64(), nullable=False),
                # Null where no error can be given; 0 where all was read.
                pa.field(name + ERROR, pa.float64()),
            )
        ),
        # Documents of the row as a share of those read, of labels of those kept or dropped.
        pa.field("share", pa.float64()),
        pa.field("share" + ERROR, pa.float64()),
    ]
)
