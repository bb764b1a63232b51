"""What was measured, and what is charged: the constants that hours and prices are made of.

Each is from a page of the documentation, where its measurement stands; what a sample tells itself
(CPU of ingest and of tokenizing, sizes of what is stored) is not among them.
"""

from __future__ import annotations

# docs/performance.md, "Ingest": 7.6 to 8.2 MB a CPU second; where there is no sample.
INGEST_SECONDS_PER_BYTE = 1 / 8e6

# docs/performance.md, "A whole run": deduplicate took 2 s of two workers for 1,000,000 documents.
EXACT_SECONDS_PER_DOCUMENT = 2 * 2 / 1e6

# docs/near-duplicates.md, "Measured": the stage, 9 CPU-s for each million of 2,000,000 documents.
# (Signatures are made by ingest, so the sample has them.)
NEAR_SECONDS_PER_DOCUMENT = 9 / 1e6

# docs/performance.md, "Tokens and the mixture": compose without tokens, 28.4 CPU-s for 4.89 GB.
COMPOSE_SECONDS_PER_BYTE = 28.4 / 4.89e9

# The same: mix without tokens, 224.4 CPU-s for 12 GB of text written.
MIX_SECONDS_PER_BYTE = 224.4 / 12e9

# The same: 68.3 million tokens of 164 MB took compose 17.9 CPU-s and mix 10.9 CPU-s, of which the
# text itself is to be taken off. The first is used where there is no sample.
COMPOSE_SECONDS_PER_TOKEN = (17.9 - 164e6 * COMPOSE_SECONDS_PER_BYTE) / 68.3e6
MIX_SECONDS_PER_TOKEN = (10.9 - 164e6 * MIX_SECONDS_PER_BYTE) / 68.3e6

# docs/performance.md, "A whole run": the report of 1,000,000 documents.
REPORT_SECONDS = 2.0

# docs/performance.md, "Ingest": two workers are 1.79 times as fast as one.
LOCAL_EFFICIENCY = 1.79 / 2
# docs/performance.md, "A whole run": the sample recipe takes 5 s, nearly all of it to start.
LOCAL_START_SECONDS = 4.0

# docs/running-on-flink.md, "While it runs": about seven jobs a run, 20 to 30 s each.
NUM_JOBS = 7
FLINK_SECONDS_PER_JOB = 25.0

# docs/running-on-dataflow.md, "How many workers, and what it costs": machines of 8 vCPU with 4 GiB
# of memory each, a vCPU is half a core; three to five minutes a job to start them.
DATAFLOW_VCPU_PER_MACHINE = 8
VCPU_PER_CORE = 2
DATAFLOW_GB_PER_VCPU = 4
DATAFLOW_SECONDS_PER_JOB = 240.0

# The same, "Price": USD, assumed there after Google's list for us-central1.
USD_PER_VCPU_HOUR = 0.056
USD_PER_GB_HOUR = 0.0036
USD_PER_GB_SHUFFLED = 0.011

# The same, "Shuffle": bytes a document.
EXACT_SHUFFLED_PER_DOCUMENT = 24
NEAR_SHUFFLED_PER_DOCUMENT = 500

# The same, "Storage": documents in zstd, of the size of their text; where there is no sample.
STORED_SHARE = 0.4
