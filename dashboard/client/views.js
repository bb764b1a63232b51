// Views: what is drawn where, from the data and from what is set in the address.
"use strict";

const Views = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const kinds = Object.entries(data.kinds);
  const FATES = [
    ["train", "train, first copies"], ["validation", "validation"], ["unsampled", "not drawn"],
    ["excluded", "excluded"], ["duplicates", "duplicates"], ["dropped", "dropped"],
  ];
  const context = { terms: data.terms, domains: data.domains, fates: FATES };

  // Tables that are searched and sorted: how they are made when they are first shown, their order
  // at first, their controls' names, and what their order is called in the address.
  const tables = {
    languages: { make: (table) => Columns.languages(table, data.languages, context), sort: "-words", name: "language" },
    profiles: { make: (table) => Columns.profiles(table, data.profiles, context), sort: "label", name: "profile", order: "order" },
    triage: { make: (table) => Columns.triage(table, data.triage.cells, context), sort: "rank", name: "triage" },
    plan: { make: (table) => Columns.plan(table, data.plan, context), sort: "-planned", name: "plan" },
    tokens: { make: (table) => Columns.tokens(table, data.tokens, context), sort: "-tokens", name: "token" },
    pairs: { make: (table) => Columns.pairs(table, data.parallel, context), sort: "-surviving", name: "pair" },
    directions: {
      make: (table) => Columns.directions(table, data.parallel, context), sort: "-sampled",
      name: "direction", order: "order",
    },
  };
  for (const key of Object.keys(tables)) if (!byId(`table-${key}`)) delete tables[key];

  const made = {};
  const tableOf = (key) => (made[key] ??= tables[key].make(byId(`table-${key}`)));

  function unitOf(settings) {
    const unit = data.units.indexOf(settings.get("unit"));
    return unit < 0 ? [0, data.units[0]] : [unit, data.units[unit]];
  }

  // Documents are called pairs where pairs are counted.
  const nameOf = (unit, kind) => (unit === "documents" ? kind : unit);

  // Draws a chart, unless it stands there already as it was made from the same things.
  const drawnFrom = {};
  function put(id, chart, ...from) {
    const figure = byId(id);
    const key = from.join("\n");
    if (!figure || drawnFrom[id] === key) return;
    drawnFrom[id] = key;
    figure.replaceChildren(chart());
  }

  const draw = {
    overview(settings, width) {
      const [unit, name] = unitOf(settings);
      const wanted = settings.get("of") ?? "";
      const [kind, found] = kinds.find(([, each]) => Object.hasOwn(each.funnels, wanted)) ?? kinds[0];
      const of = Object.hasOwn(found.funnels, wanted) ? wanted : kind;
      byId("funnel-of").value = of;
      put("chart-funnel", () =>
        Charts.funnel(found.steps, found.funnels[of], unit, nameOf(name, kind), width), of, unit, width);
      fillFunnel(kind, found, of);
      put("chart-categories", () => Charts.fates(data.categories, unit, name, width, {
        axis: "share of what was read", about: "What became of each category",
      }), unit, width);
    },
    languages(settings) {
      const warned = settings.get("warned") === "yes";
      byId("language-warned").checked = warned;
      fillTable("languages", settings, warned ? (row) => data.languages.warnings[row].length > 0 : undefined);
      fillTable("profiles", settings);
      put("legend-domains", domainLegend);
    },
    scripts(settings, width) {
      const [unit, name] = unitOf(settings);
      for (const [kind, each] of kinds)
        put(`chart-scripts-${kind}`, () =>
          Charts.pairs(each.scripts, unit, nameOf(name, kind), width, { asShares: true }), unit, width);
    },
    sources(settings, width) {
      const [unit, name] = unitOf(settings);
      for (const [kind, each] of kinds)
        put(`chart-sources-${kind}`, () => Charts.fates(each.sources, unit, nameOf(name, kind), width, {
          axis: `share of ${nameOf(name, kind)} read`, about: "What became of each source",
        }), unit, width);
    },
    triage(settings, width) {
      const [unit, name] = unitOf(settings);
      const titles = { axis: "share of each source", about: "Verdicts of each source" };
      put("chart-triage", () => Charts.fates(data.triage.sources, unit, name, width, titles), unit, width);
      fillTable("triage", settings);
    },
    duplicates(settings, width) {
      for (const [kind, { sizes }] of kinds)
        put(`chart-clusters-${kind}`, () => Maps.clusters(sizes, kind, width), width);
    },
    mixture(settings, width) {
      const [unit, name] = unitOf(settings);
      for (const [kind, { tiers }] of kinds)
        put(`chart-tiers-${kind}`, () =>
          Charts.pairs(tiers, unit, nameOf(name, kind), width, { asShares: false }), unit, width);
      put("chart-map", () => Maps.treemaps(data.languages, data.tiers, width), width);
      put("legend-tiers", tierLegend);
      put("chart-labels", () => Charts.labels(data.languages, width), width);
      fillTable("plan", settings);
    },
    tokenizer(settings, width) {
      put("chart-fertility", () => Maps.fertility(data.tokens, width), width);
      fillTable("tokens", settings);
    },
    losses(settings, width) {
      const [unit, name] = unitOf(settings);
      for (const [kind, { drops }] of kinds)
        put(`chart-drops-${kind}`, () => Charts.drops(drops, unit, nameOf(name, kind), width), unit, width);
    },
    run(settings, width) {
      const rows = data.costs.map(([name, value]) => ({ name, value }));
      const titles = { unit: "CPU seconds", about: "CPU seconds of ingest by step", fill: "train" };
      if (rows.length) put("chart-costs", () => Charts.bars(rows, width, titles), width);
    },
  };

  function swatches(names, fill) {
    const legend = document.createDocumentFragment();
    names.forEach((name, place) => {
      const rect = { x: 0, y: 0, width: 10, height: 10, rx: 2, fill: fill(place) };
      legend.append(Tables.element("span", {}, Sparks.swatch(rect), name), " ");
    });
    return legend;
  }

  const tierLegend = () => swatches(data.tiers, (place) => Maps.tierColors(data.tiers)(data.tiers[place]));

  function domainLegend() {
    const names = data.domains.map((name) => name || "not named");
    return names.length > 1 ? swatches(names, Columns.domainFill) : document.createTextNode("");
  }

  function fillTable(key, settings, only) {
    if (!tables[key]) return;
    const { sort, name, order = "sort" } = tables[key];
    const table = tableOf(key);
    const wanted = settings.get(order) || sort;
    const query = settings.get("q") || "";
    const search = byId(`${name}-search`);
    if (search && search.value !== query) search.value = query;
    const count = table.update({
      query, key: wanted.replace(/^-/, ""), descending: wanted.startsWith("-"), only,
    });
    const all = Format.number(table.length);
    byId(`${name}-count`).textContent =
      count === table.length ? `${all} rows` : `${Format.number(count)} of ${all} rows`;
  }

  function fillFunnel(kind, { steps, funnels }, of) {
    const amounts = funnels[of];
    const read = amounts[0][0];
    byId("funnel-caption").textContent = of === kind ? `all ${kind}` : of.replace(":", " ");
    byId("funnel-counted").textContent = kind;
    const { element } = Tables;
    const number = (text, title) => element("td", { class: "number", ...(title && { title }) }, text);
    const sign = { loss: "− ", gain: "+ ", level: "= " };
    byId("table-funnel").tBodies[0].replaceChildren(...steps.map(([title, step, group, definition], place) => {
      const [documents, bytes, words] = amounts[place];
      const swatch = element("span", { class: `swatch ${group}` });
      const name = element("th", { scope: "row", title: definition }, swatch, `${place ? sign[step] : ""}${title}`);
      return element("tr", { class: step }, name, number(Format.number(documents)),
        number(Format.percent(read ? documents / read : 0)),
        number(Format.size(bytes), `${Format.number(bytes)} bytes`), number(Format.number(words)));
    }));
  }

  // Tables that the page was written with: their order is in the address under their name.
  function sortWritten(section, settings) {
    for (const table of section.querySelectorAll("table.sortable"))
      Tables.sortTable(table, settings.get(`by-${table.id.replace("table-", "")}`) ?? "");
  }

  function show(section, settings, width) {
    const [, unit] = unitOf(settings);
    const input = document.querySelector(`input[name="unit-${section.id}"][value="${unit}"]`);
    if (input) input.checked = true;
    draw[section.id](settings, width);
    sortWritten(section, settings);
  }

  return { data, tables, tableOf, show, draw, put, fillTable };
})();
