"""Definitions: what every number of the report means, in one place."""

from __future__ import annotations

from glotmill.dashboard.warnings import MIN_RATIOS, RATIO_FACTOR
from glotmill.transforms.decide import CONTAMINATED

TERMS: dict[str, str] = {
    "document": (
        "One text of a source: a line, a record or a file, as the recipe says. Of parallel text, "
        "one pair."
    ),
    "bytes": "Size of the normalised text in UTF-8.",
    "words": (
        "Where a script puts spaces between words: runs of letters, marks and digits. Where it "
        "does not (Han, Thai, Khmer, …): letters with their marks."
    ),
    "label": (
        "Language and script, as in swh_Latn: ISO 639-3 and ISO 15924. Of parallel text those of "
        "its languages, sorted; mul for more than three."
    ),
    "read": "All records of the inputs: kept + dropped + rejected.",
    "rejected": (
        "Records that could not be read as text, such as broken JSON or invalid UTF-8. They have "
        "no label, and count neither bytes nor words."
    ),
    "dropped": "Documents that were read and fail a filter; the first filter is the reason.",
    "kept": "Documents that pass all filters, before deduplication.",
    "duplicates": (
        "Kept documents that deduplication removed: an equal text, or one nearly equal, stays "
        "elsewhere within the scope that the recipe sets, or a side stands in as many pairs as it "
        "allows."
    ),
    "surviving": "Kept documents less duplicates, held out or not.",
    "available": (
        "What training can draw from: surviving documents less those held out and those excluded; "
        "pairs once each. Also of categories that the mixture leaves out."
    ),
    "excluded": (
        "Surviving documents kept out of training because they would leak what is held out: the "
        "same text, a near duplicate of it, or a side of a held-out pair; and pairs that no "
        "document of several pairs holds."
    ),
    "not drawn": (
        "Surviving documents in neither split: their rate is below 1 and the draw passed them "
        "over, or the mixture leaves their category out. Derived: available − first copies."
    ),
    "validation": "Documents held out of training, each once.",
    "train, first copies": "Documents drawn for training, each counted once.",
    "repeats": "Further copies of training documents, where the rate of a tier is above 1.",
    "sampled": "What stands in the training shards: first copies and repeats.",
    "sampled share": "Sampled words of the row as a share of all sampled words.",
    "tier": (
        "Class of size that a label falls into, by its surviving amount, held out or not, within "
        "its category; it sets the rate."
    ),
    "epochs": (
        "Rate of the tier: how often each training document is drawn, on average. 0.25 draws a "
        "quarter of the documents once."
    ),
    "duplicates share": "Duplicates as a share of the kept documents.",
    "dropped share": "Dropped documents as a share of kept and dropped documents.",
    "share of read": "Documents as a share of all records read.",
    "script": "Main script of the letters of each text, as recognised; ISO 15924.",
    "planned": "What the plan wants in the training shards, in the unit the recipe counts by.",
    "labels": "Labels with at least one available document.",
    "sources": "Sources that documents of the label were kept from.",
    "domain": "What the recipe calls the subject of a source; a label's parts by available words.",
    "warnings": "What to look at before training on the label; each is defined below.",
    "fate": (
        "What became of the documents that were read, as shares: train (first copies), "
        "validation, not drawn, excluded, duplicates, dropped."
    ),
    "category": "Kind of source, as the recipe says; each category has tiers of its own.",
    "realised": (
        "What stands in the training shards, repeats included, in the unit that the recipe "
        "counts by."
    ),
    "deviation": (
        "Realised less planned, as a share of planned. Whole documents are drawn, so small labels "
        "cannot be met exactly."
    ),
    "drawn": "Realised over available: how often the text is seen, on average.",
    "plan share": "Planned amount of the row as a share of all that is planned.",
    "realised share": "Realised amount of the row as a share of all that was drawn.",
    "binding": "What keeps the label from more, or from less, than its share of the budget.",
    "relaxed": "Wishes of the recipe that could not be kept for the label.",
    "can be drawn": (
        "What is available, in the unit that the recipe counts by; pairs as they are written: "
        "twice where both directions are."
    ),
    "cluster": (
        "Documents that are equal or near duplicates, of which one stays; a document without "
        "duplicates is a cluster of one."
    ),
    "cluster size": "Documents of a cluster, the one that stays included.",
    "clusters": "Clusters of the size, counted by the document that stays.",
    "in clusters": "Documents that ingest kept and that are in clusters of the size.",
    "oversized": (
        "Clusters of near duplicates with more texts, or with a larger share of a label, than "
        "deduplicate.near allows."
    ),
    "profile": (
        "Of documents that ingest kept, from sketches: quantiles are right within about 1% of "
        "rank, counts of hosts within about 2%, and what is named as frequent is."
    ),
    "length": "Characters of a document; of a tenth, of half and of nine tenths they are fewer.",
    "confidence": "The identifier's confidence; of half, and of a tenth, of the documents less.",
    "script share": (
        "Share of its script in a document, as script recognition weighs letters; of half, and of "
        "a tenth, of the documents less."
    ),
    "hosts": "Different hosts in the URLs of documents, and the most frequent of them.",
    "top n-grams": (
        "The most frequent runs of three words, or of six characters in scripts without spaces, "
        "of one document in 32."
    ),
    "tokens": "What the tokenizer of output.tokens makes of the text, end of document included.",
    "fertility": "Tokens a word.",
    "premium": (
        "Tokens of the label over those of English for sentences that say the same, from pairs of "
        "the run (Petrov et al., 2023, arXiv 2305.15425)."
    ),
    "bytes per token": "UTF-8 bytes that a token stands for, on average.",
    "fallback": "Tokens that are single bytes because the vocabulary has no piece for them.",
    "cpu seconds": "Processor time of ingest, over all workers, as units note it when they end.",
    "text per second": "Bytes of text, read and normalised, for each CPU second.",
    "seconds": "Time on the wall clock, from a stage's start to its manifest.",
    "input": "Size of the input files as they are stored, compressed or not.",
    "declared": "Label of the language that the source declares; empty where it declares none.",
    "identified": "Label that the identifier finds in the text; empty where it was not asked.",
    "verdict": "How the declared and the identified language relate.",
    "cell": "Documents of a source with the same declared label, identified label and script.",
    "share of declared": "Of the documents of the source with the same declared label.",
    "triage order": (
        "By verdict: contradicted; unidentified and unsure; unknown code; too short; "
        "unverifiable; identified; confirmed. Then by documents × share of declared."
    ),
    "sample": "Up to three texts of a cell, cut short: those of the smallest content hashes.",
    "pair": (
        "Two texts that say the same in two languages, in either order; a row of texts in three "
        "or more languages counts as one."
    ),
    "direction": (
        "The order of the languages: of surviving pairs, that of the data; where they are "
        "drawn, that in which they are written."
    ),
    "pseudo-document": (
        "One row of the shards, made of several pairs of one source, direction and split; "
        "training, repeats included."
    ),
    "removed": "Pairs that a filter dropped, and those that deduplication removed.",
    "removed share": "Removed pairs as a share of the pairs read.",
    "pairs read": "Pairs that were kept or dropped; what was rejected has no languages.",
    "pairs drawn": "Pairs drawn for training, each counted once.",
    "validation as written": (
        "Pairs of the validation split in this direction; those of languages that the recipe "
        "holds out are written in both."
    ),
    "length ratio": (
        "Characters of the second language of the label over those of the first, whichever comes "
        "first in the data; half of the pairs lie below. Of pairs of two languages that ingest "
        "kept, from sketches: counts, least and greatest are exact, other ranks right within about "
        "1.5%."
    ),
    "spread": (
        "How far apart ratios are: the one that 95% of the pairs lie below over the one that 5% do."
    ),
    "unexpected ratio": (
        f"The median ratio is over {RATIO_FACTOR:g} times, or under 1/{RATIO_FACTOR:g} of, "
        "what the scripts of the languages lead to expect, as measured on four parallel corpora; "
        f"asked of {MIN_RATIOS} pairs and more."
    ),
    "triaged": "Documents that ingest kept or dropped, before deduplication.",
    "checksum": (
        "Of the file as stored: xxh3 is the XXH3-128 of its bytes; for remote files it is what "
        "the store reports."
    ),
}

#: Of runs of the trainer, on pages that show one.
TRAINING_TERMS: dict[str, str] = {
    "training loss": (
        "Cross entropy on the batches that are learned from, in nats a token: of one step, or, of "
        "a part, of all steps since the last validation."
    ),
    "validation loss": "Cross entropy on the validation split, in nats a token.",
    "bits per byte": (
        "Loss / ln 2 × tokens / UTF-8 bytes, so that labels compare whose text a tokenizer cuts "
        "into pieces of unlike size; tokens per byte are those of the label in the plan."
    ),
    "before": "Bits per byte at the first validation, which is made before the first step.",
    "after": "Bits per byte at the last validation so far.",
    "change": "Bits per byte after, less those before, as a share of those before.",
    "tokens planned": "Tokens of the label that the plan wants seen, repeats included.",
    "tokens seen": (
        "Tokens that were learned from, up to the last validation, over all categories of the "
        "label: each token that is predicted counts."
    ),
    "seen of plan": "Tokens seen as a share of the tokens planned.",
    "tokens available": "Tokens that could be drawn for training, each document once.",
    "times seen": "Tokens seen over tokens available: how often the text was seen, on average.",
    "course": (
        "Bits per byte at each validation, as a share of those at the first; all labels on the "
        "same scale."
    ),
    "forgetting": (
        "Loss of a watched category on the validation split, less that at the first validation, "
        "in nats a token; above 0 the model has become worse."
    ),
    "learning rate": "Of the optimiser at the step.",
    "gradient norm": "Norm of the gradient before it is clipped; none where no update was made.",
    "throughput": (
        "Tokens a second that pass through the model, over all processes, without the time of "
        "validation and checkpoints."
    ),
    "MFU": (
        "Model FLOPs utilisation: operations that the model needs for the tokens, over what the "
        "devices can do in the time (PaLM, arXiv 2204.02311). Only where their peak is known."
    ),
    "memory": "Most memory that tensors took on the device of the first process.",
    "waiting for data": "Share of the time that training waits for its next batch.",
    "spike": (
        "A step whose loss leaps out of those before it; the number is that of the step, and the "
        "documents are those of its batch."
    ),
    "limit": "Loss from which on a step is a spike: median and median deviation of those before.",
    "unread lines": "Lines that are not what the trainer writes; nothing of them is on the page.",
}

#: How declared language, identified language and script relate.
VERDICTS: dict[str, str] = {
    "confirmed": "The identifier agrees with what was declared.",
    "contradicted": "The identifier names another language, with enough confidence.",
    "unsure": "Its confidence is below identify.threshold, or it finds no language in the script.",
    "unverifiable": "It does not know the declared language, or was not asked.",
    "unknown_code": "The declared code is no language code that the registry knows.",
    "too_short": "Fewer letters than identify.min_letters, by what a letter of the script weighs.",
    "identified": "Nothing was declared; the identifier's answer is the label.",
    "unidentified": "Nothing was declared and the identifier is unsure.",
}


def verdict_title(verdict: str) -> str:
    """A verdict as words.

    >>> verdict_title("too_short")
    'too short'
    """
    return verdict.replace("_", " ") or "no verdict"


#: The drop reasons that glotmill gives itself; those of custom filters are shown as they are.
REASONS: dict[str, str] = {
    "empty": "Nothing is left of the text after normalisation.",
    "too_short": "Shorter than filters.min_characters, by what a letter of the script weighs.",
    "too_long": "More characters than filters.max_characters.",
    "unknown_language_code": "The source declares a code that the registry cannot resolve.",
    "no_letters": "The text has no letters, so neither script nor language can be told.",
    "mixed_languages": "Fewer of its sentences confirm its label than identify.min_consistency.",
    "mixed_scripts": "The main script has a smaller share of the letters than script.min_share.",
    "repeated_lines": "Lines that stood there before: over filters.max_repeated_line_share.",
    "repeated_ngrams": "Runs of words that repeat: over filters.max_repeated_ngram_share.",
    "language_mismatch": "The identifier names another language than the source declares.",
    "unidentified_language": "No language is declared and the identifier is not sure of one.",
    "too_short_to_identify": "No language is declared and there are too few letters to tell.",
    # Of pairs; a document's reasons hold for either side.
    "empty_side": "Nothing is left of a side after normalisation.",
    "side_too_long": "A side has more characters than filters.pairs.max_characters.",
    "side_too_short": "A side has fewer letters than filters.pairs.min_letters.",
    "markup_residue": "A side holds tags, comments or entities of HTML or XML.",
    "identical_sides": "The sides are equal but for case and punctuation.",
    "near_identical_sides": "The sides share more words than filters.pairs.max_shared_words.",
    "untranslated_words": (
        "The sides share more runs of three words than filters.pairs.max_shared_runs."
    ),
    "script_mismatch": "A side is in a script that its declared language is not written in.",
    "swapped_sides": "A side is identified as the language that the other declares.",
    # Also of units that are rejected, as what they declare is one language.
    "one_language": (
        "No two languages: one is declared, or identification finds one where none is declared "
        "or it relabels."
    ),
    "length_ratio": (
        "One side is longer, in letters weighted by script, than filters.pairs.max_length_ratio "
        "times the other."
    ),
    "numbers_mismatch": "Fewer numbers agree than filters.pairs.min_shared_numbers asks for.",
    "urls_mismatch": "The sides hold different URLs.",
    "emails_mismatch": "The sides hold different e-mail addresses.",
    "low_score": "A score of the data is below filters.pairs.min_scores.",
    # Of deduplication.
    "exact_duplicate": "An equal text stays elsewhere.",
    "near_duplicate": "A text nearly equal stays elsewhere.",
    "repeated_side": "A side stands in as many pairs as deduplicate allows.",
}


def reason_definition(reason: str) -> str:
    """What a reason means.

    >>> reason_definition("contaminated_flores")
    'It has text of the evaluation set flores (decontaminate.sets).'
    """
    if reason.startswith(CONTAMINATED):
        name = reason.removeprefix(CONTAMINATED)
        return f"It has text of the evaluation set {name} (decontaminate.sets)."
    return REASONS.get(reason, "Given by a filter of an installed package.")


def reason_title(reason: str) -> str:
    """A reason as words.

    >>> reason_title("mixed_scripts")
    'mixed scripts'
    """
    return reason.replace("_", " ") or "no reason given"
