"""What the numbers of a plan rest on, and what they leave out, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from glotmill.dashboard.formats import percent, size
from glotmill.pipelines.planning import measured
from glotmill.pipelines.planning.figures import FINISHED_RUN, Figures
from glotmill.pipelines.planning.frame import STREAM_BYTES
from glotmill.schemas.recipe import Recipe


def assumptions(figures: Figures, recipe: Recipe) -> list[str]:
    """All of them, in the order in which they matter."""
    found = list(_of_sample(figures, recipe)) if figures.sampled else []
    found += _of_output(figures, recipe)
    return found + (list(_of_hours()) if figures.ingest_seconds is not None else _without_hours())


def _of_sample(figures: Figures, recipe: Recipe) -> Iterator[str]:
    drawn = [each.drawn for each in figures.sampled]
    num_read = sum(len(each.slices) for each in figures.sampled)
    read = sum(part.size for each in figures.sampled for part in each.slices)
    stored = sum(each.num_bytes for each in drawn)
    num_whole = sum(each.is_whole for each in drawn)
    yield (
        f"Read: {size(round(read))} of {size(stored)} stored "
        f"({percent(read / stored if stored else 1)}) in slices of files, {num_read:,} of them; "
        f"{num_whole:,} of {len(drawn):,} sources were read whole, and their errors are 0. Slices "
        "are drawn by a hash of the seed, the file's name and the slice's number, each of a source "
        "as likely as any other."
    )
    if num_whole == len(drawn):
        yield from _of_duplicates(figures, recipe)
        return
    yield (
        "Totals are extrapolated by stored bytes, each source for itself: a ratio estimator with "
        "slices as clusters. Errors are half widths of 95% intervals by Student's t (Cochran, "
        "Sampling Techniques, 3rd ed., 1977, sections 5.4, 6.3, 6.4, 6.10, 6.11 and chapter 9A). "
        "A dash stands where something was seen in one slice only, or in none: no error can be "
        "given then. Of what was seen in fewer than about ten slices errors are rough."
    )
    yield (
        "What stands in no slice of the sample is not in the tables. In a source of which n slices "
        "were read, a label in more than about 3/n of all slices would have been seen with 95% "
        "confidence."
    )
    yield from _of_duplicates(figures, recipe)
    shortened = sum(each.num_shortened for each in drawn)
    if shortened:
        yield (
            f"Of {shortened:,} compressed files or tables only the first {size(STREAM_BYTES)} "
            "could be drawn from, as they have no place to seek to; their rest is taken to be "
            "alike, and no error shows whether it is."
        )


def _of_duplicates(figures: Figures, recipe: Recipe) -> Iterator[str]:
    yield (
        "Duplicates, exact ones and near ones, documents of other corpora "
        "('deduplicate.against'), caps on repeated sides and the validation split are not "
        "estimated: what can be drawn is at most what is shown."
    )
    copies = figures.copies
    if copies is not None and recipe.deduplicate.exact and copies.num_documents:
        share = copies.num_copies / copies.num_documents
        yield (
            f"Among the {copies.num_documents:,} kept documents of the sample, "
            f"{copies.num_copies:,} ({percent(share)}) are exact copies of others within one "
            f"{recipe.deduplicate.scope}: a lower bound of what deduplication removes, as copies "
            "of what was not sampled are not among them."
        )


def _of_output(figures: Figures, recipe: Recipe) -> list[str]:
    found = []
    if recipe.mix.rehydrate is not None and figures.told_by != FINISHED_RUN:
        found.append(
            "Weights of rehydration go by clusters of duplicates, which only a run knows: they are "
            "taken to be 1."
        )
    found += [
        "The number of shards is the recipe's. Their sizes follow from the plan and from how far "
        "zstd packs sampled documents in an order by hash; without a sample it is 0.4 of the text."
    ]
    if recipe.output.tokens is not None and any(s.is_bitext for s in recipe.sources):
        found.append(
            "Pairs are tokenized each for itself: what the template adds is not counted, and rows "
            f"hold up to {recipe.bitext.pairs_per_document} pairs, which are counted as documents."
        )
    elif any(source.is_bitext for source in recipe.sources):
        found.append(
            f"Documents of bitext are pairs; a row of the shards holds up to "
            f"{recipe.bitext.pairs_per_document} of them."
        )
    return found


def _of_hours() -> Iterator[str]:
    yield (
        "CPU seconds are those of the machine that made this plan, for ingest and tokens, and of "
        "the machine of docs/performance.md for the other stages; other processors differ."
    )
    yield (
        f"Wall time is CPU over workers, plus {measured.LOCAL_START_SECONDS:g} s to start here "
        f"(where several processes reach {percent(measured.LOCAL_EFFICIENCY)} of their number), "
        f"{measured.NUM_JOBS} jobs of {measured.FLINK_SECONDS_PER_JOB:g} s on Flink and of "
        f"{measured.DATAFLOW_SECONDS_PER_JOB:g} s on Dataflow. A slot of Flink is a core."
    )
    yield (
        f"Dataflow's machines have {measured.DATAFLOW_VCPU_PER_MACHINE} vCPU, two of which are a "
        f"core; the price is {measured.USD_PER_VCPU_HOUR:g} USD a vCPU-hour, "
        f"{measured.USD_PER_GB_HOUR:g} USD a GB-hour of memory ({measured.DATAFLOW_GB_PER_VCPU} GB "
        f"a vCPU) and {measured.USD_PER_GB_SHUFFLED:g} USD a GB of shuffle, assumed after "
        "Google's list for us-central1: look them up. Disks, buckets, egress and the time in which "
        "machines start are not in it."
    )


def _without_hours() -> list[str]:
    return ["Hours need sizes: give the table of counts a column 'num_bytes'."]
