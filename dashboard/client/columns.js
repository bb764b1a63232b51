// Columns: which columns each of the page's long tables has, and what they mean.
"use strict";

const Columns = (() => {
  const { ColumnTable, element } = Tables;
  const times = (rate) => `${Number(rate.toPrecision(3))}×`;
  const exactBytes = (value) => `${Format.number(value)} bytes`;
  const signed = (share) => {
    const percent = Math.abs(100 * share).toFixed(1);
    return `${Number(percent) ? (share > 0 ? "+" : "−") : ""}${percent}%`;
  };
  const chips = (texts) => texts.map((text) => element("span", { class: "chip" }, text));
  // Chips stand apart for those who hear the row, too.
  const spaced = (nodes) => nodes.flatMap((node) => [node, " "]);

  // ------------------------------------------------------ languages

  const LANGUAGES = [
    { key: "label", title: "label", term: "label", code: true, beside: "name" },
    { key: "category", title: "category", term: "category" },
    { key: "tier", title: "tier", term: "tier" },
    { key: "rate", title: "epochs", term: "epochs", format: times },
    { key: "words", title: "words", term: "available", format: Format.number },
    { key: "sampled_words", title: "sampled words", term: "sampled", format: Format.number },
    { key: "sampled_share", title: "of sampled", term: "sampled share", format: Format.percent },
  ];
  // Behind the pictures, as they say it in numbers.
  const MORE_OF_LANGUAGES = [
    { key: "documents", title: "documents", term: "available", format: Format.number },
    { key: "bytes", title: "bytes", term: "available", format: Format.size, exact: exactBytes },
    { key: "duplicates_share", title: "duplicates", term: "duplicates share", format: Format.percent },
    { key: "dropped_share", title: "dropped", term: "dropped share", format: Format.percent },
    { key: "sources", title: "sources", term: "sources", format: Format.number },
    { key: "script", title: "script", term: "label", code: true },
  ];
  // Where the page shows training.
  const TRAINED = [
    { key: "tokens_seen", title: "tokens seen", term: "tokens seen", format: Format.number },
    { key: "bits_per_byte", title: "bits per byte", term: "after", format: (value) => value.toFixed(3) },
  ];

  const domainFill = (place) => `var(--domain-${place})`;

  function languages(table, data, { terms, domains, fates }) {
    const severalCategories = new Set(data.category).size > 1;
    const x = Sparks.scale([...data.words, ...data.sampled_words].filter((value) => value > 0));
    const bar = (row) => [Sparks.dumbbell(data.words[row], data.sampled_words[row], x)];
    const fate = (row) => [Sparks.stack(
      fates.map(([group, name], place) => ({ name, value: data.fates[row][place], fill: `var(--${group})` })),
      "documents")];
    const domain = (row) => {
      const named = data.domains[row].map(([place, words]) => ({
        name: domains[place] || "not named", value: words, fill: domainFill(place),
      }));
      const rest = data.words[row] - d3.sum(named, (part) => part.value);
      return [Sparks.stack([...named, { name: "others", value: rest, fill: "var(--unsampled)" }], "words")];
    };
    const pictures = [
      { key: "dumbbell", title: "words, log", definition: "Available and sampled words, logarithmic.", name: "bar", content: bar },
      { key: "fate", title: "fate", definition: terms.fate, name: "bar", content: fate },
      { key: "parts", title: "domains", definition: terms.domain, name: "bar", content: domain },
      { key: "chips", title: "warnings", definition: terms.warnings, name: "chips warn", content: (row) => spaced(chips(data.warnings[row])) },
    ];
    return new ColumnTable(table, { ...data, warned: data.warnings.map((some) => some.join("\n")) }, terms, {
      columns: [
        ...LANGUAGES.filter((column) => column.key !== "category" || severalCategories),
        ...(data.tokens_seen ? TRAINED : []),
        ...pictures.filter(({ key }) =>
          (key !== "parts" || domains.length > 1) && (key !== "chips" || data.warnings.some((some) => some.length))),
        ...MORE_OF_LANGUAGES,
      ],
      searched: ["label", "name", "script", "category", "tier", "domain", "warned"],
      sorting: { key: "words", descending: true },
      more: ["name", "sampled_documents", "sampled_bytes", "validation_documents", "domain", "warnings"],
    });
  }

  // --------------------------------------------------------- triage

  const CELLS = [
    { key: "rank", title: "#", term: "triage order", format: Format.number },
    { key: "source", title: "source", term: "cell" },
    { key: "declared", title: "declared", term: "declared", code: true, beside: "declared_name" },
    { key: "identified", title: "identified", term: "identified", code: true, beside: "identified_name" },
    { key: "script", title: "script", term: "script", code: true },
    { key: "verdict", title: "verdict", term: "verdict" },
    { key: "documents", title: "documents", term: "triaged", format: Format.number },
    { key: "share", title: "of declared", term: "share of declared", format: Format.percent },
    { key: "words", title: "words", term: "words", format: Format.number },
    { key: "dropped", title: "dropped", term: "dropped", format: Format.number },
  ];

  function triage(table, data, { terms }) {
    const quote = (row) => (text) => element("blockquote", { dir: "auto", lang: data.locale[row] }, text);
    const samples = (row) => {
      const [first, ...others] = data.samples[row].map(quote(row));
      if (!others.length) return first ? [first] : [];
      const more = element("details", {}, element("summary", {}, `${others.length} more`), ...others);
      return [first, more];
    };
    const sample = { key: "sample", title: "sample", definition: terms.sample, name: "example", content: samples };
    return new ColumnTable(table, data, terms, {
      columns: [...CELLS, sample],
      searched: ["source", "declared", "declared_name", "identified", "identified_name", "script", "verdict"],
      sorting: { key: "rank", descending: false },
      more: ["declared_name", "identified_name", "samples"],
    });
  }

  // ---------------------------------------------------------- pairs

  const DRAWN = [
    { key: "surviving", title: "surviving", term: "surviving", format: Format.number },
    { key: "surviving_words", title: "words", term: "surviving", format: Format.number },
    { key: "train", title: "drawn", term: "pairs drawn", format: Format.number },
    { key: "sampled", title: "sampled", term: "sampled", format: Format.number },
    { key: "sampled_words", title: "sampled words", term: "sampled", format: Format.number },
    { key: "documents", title: "pseudo-documents", term: "pseudo-document", format: Format.number },
  ];
  const READ_PAIRS = [
    { key: "label", title: "pair", term: "label", code: true, picks: true, beside: "name" },
    { key: "tier", title: "tier", term: "tier" },
    { key: "rate", title: "epochs", term: "epochs", format: times },
    { key: "read", title: "read", term: "pairs read", format: Format.number },
    { key: "removed", title: "removed", term: "removed", format: Format.number },
    { key: "removed_share", title: "of read", term: "removed share", format: Format.percent },
  ];
  const DRAWN_PAIRS = [
    ...DRAWN,
    { key: "validation", title: "validation", term: "validation", format: Format.number },
  ];
  const DIRECTIONS = [
    { key: "direction", title: "direction", term: "direction", code: true, beside: "name" },
    ...DRAWN,
    { key: "validation", title: "validation", term: "validation as written", format: Format.number },
  ];

  const RATIOS = [
    { key: "ratio", title: "length ratio", term: "length ratio", format: (value) => value.toFixed(2) },
    { key: "spread", title: "spread", term: "spread", format: times },
  ];
  const MOST_REASONS = 3;

  // Columns of how the lengths of the sides compare.
  function ratios({ pairs, ranks }, terms) {
    const quantiles = (row) => pairs.profile[row]?.ratio?.slice(2, -1);
    const x = Sparks.scale(d3.range(pairs.label.length).flatMap((row) => quantiles(row) ?? [])).clamp(true);
    const texts = (values) => values.map((value, place) => `${100 * ranks[place]}% ${value.toFixed(2)}`);
    const picture = (row) => {
      const values = quantiles(row);
      return values ? [Sparks.box(values, x, { at: 1, title: `ratio below which lie: ${texts(values).join(", ")}` })] : [];
    };
    const warned = (row) => spaced(chips(pairs.warnings[row]));
    return [
      { key: "ratio-shown", title: "5 to 95%, log", definition: terms["length ratio"], name: "bar", content: picture },
      ...RATIOS,
      ...(pairs.warnings.some((some) => some.length)
        ? [{ key: "warned", title: "warnings", definition: terms["unexpected ratio"], name: "chips warn", content: warned }]
        : []),
    ];
  }

  function pairs(table, parallel, { terms }) {
    const data = { ...parallel.pairs, warned: parallel.pairs.warnings.map((some) => some.join("\n")) };
    const losses = (row) => spaced(chips(data.losses[row].slice(0, MOST_REASONS)
      .map(([reason, count]) => `${parallel.reasons[reason]} ${Format.number(count)}`)));
    const lost = {
      key: "lost", title: "removed as", name: "chips", content: losses,
      definition: "The most frequent reasons to drop or remove pairs.",
    };
    return new ColumnTable(table, data, terms, {
      columns: [
        ...READ_PAIRS, ...(data.ratio.some(Boolean) ? ratios(parallel, terms) : []), ...DRAWN_PAIRS, lost,
      ],
      searched: ["label", "name", "tier", "warned"],
      sorting: { key: "surviving", descending: true },
      more: ["name", "kept", "warned"],
    });
  }

  // Found by the texts of their pairs, so that one search finds the same in both tables.
  function directions(table, { pairs, directions }, { terms }) {
    const ofPair = (key) => directions.pair.map((row) => pairs[key][row]);
    const data = { ...directions, label: ofPair("label"), pair_name: ofPair("name"), tier: ofPair("tier") };
    return new ColumnTable(table, data, terms, {
      columns: DIRECTIONS,
      searched: ["label", "pair_name", "tier"],
      sorting: { key: "sampled", descending: true },
      more: ["name", "label"],
    });
  }

  // ----------------------------------------------- plan and tokens

  const PLAN = [
    { key: "label", title: "label", term: "label", code: true, beside: "name" },
    { key: "category", title: "category", term: "category" },
    { key: "tier", title: "tier", term: "tier" },
    { key: "available", title: "can be drawn", term: "can be drawn", format: Format.number },
    { key: "planned", title: "planned", term: "planned", format: Format.number },
    { key: "planned_share", title: "share planned", term: "plan share", format: Format.percent },
    { key: "realised", title: "realised", term: "realised", format: Format.number },
    { key: "realised_share", title: "share realised", term: "realised share", format: Format.percent },
    { key: "deviation", title: "deviation", term: "deviation", format: signed },
    { key: "epochs", title: "drawn", term: "drawn", format: times },
    { key: "binding", title: "bound by", term: "binding" },
    { key: "relaxed", title: "relaxed", term: "relaxed" },
  ];

  function plan(table, data, { terms }) {
    const empty = (column) => ["binding", "relaxed"].includes(column.key) && !data[column.key].some(Boolean);
    return new ColumnTable(table, data, terms, {
      columns: PLAN.filter((column) => !empty(column)),
      searched: ["label", "name", "category", "tier", "binding", "relaxed"],
      sorting: { key: "planned", descending: true },
      more: ["name"],
    });
  }

  const TOKENS = [
    { key: "label", title: "label", term: "label", code: true, beside: "name" },
    { key: "script", title: "script", term: "label", code: true },
    { key: "category", title: "category", term: "category" },
    { key: "words", title: "words", term: "words", format: Format.number },
    { key: "tokens", title: "tokens", term: "tokens", format: Format.number },
    { key: "fertility", title: "fertility", term: "fertility", format: (value) => value.toFixed(2) },
    { key: "premium", title: "premium", term: "premium", format: times },
    { key: "bytes_per_token", title: "bytes a token", term: "bytes per token", format: (value) => value.toFixed(2) },
    { key: "fallback_share", title: "single bytes", term: "fallback", format: Format.percent },
  ];

  function tokens(table, data, { terms }) {
    return new ColumnTable(table, data, terms, {
      columns: TOKENS.filter((column) => column.key !== "premium" || data.premium.some(Boolean)),
      searched: ["label", "name", "script", "category"],
      sorting: { key: "tokens", descending: true },
      more: ["name"],
    });
  }

  const PROFILES = [
    { key: "label", title: "label", term: "label", code: true, beside: "name" },
    { key: "length_0", title: "length, 10%", term: "length", format: Format.number },
    { key: "length_1", title: "half", term: "length", format: Format.number },
    { key: "length_2", title: "90%", term: "length", format: Format.number },
    { key: "confidence_1", title: "confidence, half", term: "confidence", format: (value) => value.toFixed(2) },
    { key: "confidence_0", title: "10%", term: "confidence", format: (value) => value.toFixed(2) },
    { key: "script_share_1", title: "script share, half", term: "script share", format: Format.percent },
    { key: "script_share_0", title: "10%", term: "script share", format: Format.percent },
  ];

  function profiles(table, data, { terms }) {
    const texts = (key, title, term) => ({
      key: `${key}-shown`, title, definition: terms[term], name: "chips",
      content: (row) => spaced(data[key][row].map((text) =>
        element("span", { class: "chip", dir: "auto" }, text))),
    });
    const hosts = { key: "hosts", title: "hosts", term: "hosts", format: Format.number };
    return new ColumnTable(table, data, terms, {
      columns: [
        ...PROFILES, ...(data.hosts.some(Boolean) ? [hosts, texts("top_hosts", "top hosts", "hosts")] : []),
        texts("ngrams", "top n-grams", "top n-grams"),
      ],
      searched: ["label", "name"],
      sorting: { key: "label", descending: false },
      more: ["name", "top_hosts", "ngrams"],
    });
  }

  return { profiles, languages, triage, pairs, directions, plan, tokens, domainFill, signed, times };
})();
