// The page: which view is shown and how, kept in the address so that it can be passed on.
"use strict";

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const main = document.getElementById("main");
  const sections = [...document.querySelectorAll("section.view")];
  const byId = (id) => document.getElementById(id);
  // Tables that are searched and sorted: their order at first, their controls' names, and what
  // their order is called in the address.
  const tables = {
    languages: {
      table: Tables.languages(byId("table-languages"), data.languages, data.terms),
      sort: "-words",
      name: "language",
    },
    triage: {
      table: Tables.triage(byId("table-triage"), data.triage.cells, data.terms),
      sort: "rank",
      name: "triage",
    },
  };
  if (data.parallel) {
    tables.pairs = {
      table: Tables.pairs(byId("table-pairs"), data.parallel.pairs, data.terms),
      sort: "-available",
      name: "pair",
    };
    tables.directions = {
      table: Tables.directions(byId("table-directions"), data.parallel, data.terms),
      sort: "-sampled",
      name: "direction",
      order: "order",
    };
  }

  // ---------------------------------------------------------- address

  // "#languages?q=swahili&sort=-words": the view, and what is set in it.
  function readAddress() {
    const [view, query = ""] = location.hash.slice(1).split("?");
    const known = sections.some((section) => section.id === view);
    return { view: known ? view : sections[0].id, settings: new URLSearchParams(query) };
  }

  function changeAddress(changes) {
    const { view, settings } = readAddress();
    for (const [key, value] of Object.entries(changes)) {
      if (value) settings.set(key, value);
      else settings.delete(key);
    }
    const query = settings.toString();
    history.replaceState(null, "", `#${view}${query ? `?${query}` : ""}`);
    show();
  }

  // ------------------------------------------------------------ views

  function unitOf(settings) {
    const unit = data.units.indexOf(settings.get("unit"));
    return unit < 0 ? [0, data.units[0]] : [unit, data.units[unit]];
  }

  const draw = {
    overview(settings, width) {
      const [unit, name] = unitOf(settings);
      const wanted = settings.get("source") ?? "";
      const source = Object.hasOwn(data.funnel.amounts, wanted) ? wanted : "";
      byId("funnel-source").value = source;
      put("chart-funnel", () => Charts.funnel(data.funnel, source, unit, name, width));
      fillFunnel(source);
    },
    languages(settings) {
      fillTable(tables.languages, settings);
    },
    scripts(settings, width) {
      const [unit, name] = unitOf(settings);
      put("chart-scripts", () => Charts.pairs(data.scripts, unit, name, width, { asShares: true }));
    },
    sources(settings, width) {
      const [unit, name] = unitOf(settings);
      const titles = { axis: `share of ${name} read`, about: "What became of each source" };
      put("chart-sources", () => Charts.fates(data.sources, unit, name, width, titles));
    },
    triage(settings, width) {
      const [unit, name] = unitOf(settings);
      const titles = { axis: `share of ${name}`, about: "Verdicts of each source" };
      put("chart-triage", () => Charts.fates(data.triage.sources, unit, name, width, titles));
      fillTable(tables.triage, settings);
    },
    pairs(settings) {
      fillTable(tables.pairs, settings);
      fillTable(tables.directions, settings);
      drawMatrix(settings);
    },
    tiers(settings, width) {
      const [unit, name] = unitOf(settings);
      put("chart-tiers", () => Charts.pairs(data.tiers, unit, name, width, { asShares: false }));
      put("chart-labels", () => Charts.labels(data.languages, width));
    },
    losses(settings, width) {
      const [unit, name] = unitOf(settings);
      put("chart-drops", () => Charts.drops(data.drops, unit, name, width));
    },
    run() {},
  };

  function drawMatrix(settings) {
    const [value, most] = ["value", "most"].map((key) => {
      const select = byId(`matrix-${key}`);
      const known = [...select.options].some((option) => option.value === settings.get(key));
      const first = [...select.options].find((option) => option.defaultSelected) ?? select.options[0];
      select.value = known ? settings.get(key) : first.value;
      return select;
    });
    const directed = settings.get("directed") === "yes";
    byId("matrix-directed").checked = directed;
    const options = {
      value: value.value, unit: value.selectedOptions[0].textContent, most: Number(most.value), directed,
    };
    const { shown, all } = Matrix.draw(
      byId("table-matrix"), data.parallel, tables.pairs.table.shown(), options);
    byId("matrix-count").textContent =
      shown === all ? `${Format.number(all)} languages` : `${Format.number(shown)} of ${Format.number(all)} languages`;
  }

  function fillTable({ table, sort, name, order = "sort" }, settings) {
    const wanted = settings.get(order) || sort;
    const query = settings.get("q") || "";
    const search = byId(`${name}-search`);
    if (search && search.value !== query) search.value = query;
    const key = wanted.replace(/^-/, "");
    const count = table.update({ query, key, descending: wanted.startsWith("-") });
    const all = Format.number(table.length);
    byId(`${name}-count`).textContent =
      count === table.length ? `${all} rows` : `${Format.number(count)} of ${all} rows`;
  }

  function put(id, chart) {
    const figure = byId(id);
    if (figure) figure.replaceChildren(chart());
  }

  function fillFunnel(source) {
    const amounts = data.funnel.amounts[source];
    const read = amounts[0][0];
    byId("funnel-caption").textContent = source || "all sources";
    [...document.querySelector("#table-funnel tbody").rows].forEach((row, step) => {
      const [documents, bytes, words] = amounts[step];
      row.cells[1].textContent = Format.number(documents);
      row.cells[2].textContent = Format.percent(read ? documents / read : 0);
      row.cells[3].textContent = Format.size(bytes);
      row.cells[3].title = `${Format.number(bytes)} bytes`;
      row.cells[4].textContent = Format.number(words);
    });
  }

  function drawView(view, settings) {
    const [, unit] = unitOf(settings);
    const input = document.querySelector(`input[name="unit-${view}"][value="${unit}"]`);
    if (input) input.checked = true;
    draw[view](settings, Math.max(280, main.clientWidth));
  }

  let shown = "";
  function show() {
    const { view, settings } = readAddress();
    for (const section of sections) section.classList.toggle("current", section.id === view);
    for (const link of document.querySelectorAll("nav a")) {
      if (link.hash === `#${view}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    drawView(view, settings);
    if (shown && shown !== view) window.scrollTo(0, 0);
    shown = view;
  }

  // --------------------------------------------------------- controls

  function download(name, text) {
    const link = Tables.element("a", { download: name });
    link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  function listen() {
    window.addEventListener("hashchange", show);
    document.querySelector(".skip").addEventListener("click", (event) => {
      event.preventDefault(); // the address names the view
      main.focus();
    });
    for (const input of document.querySelectorAll("fieldset.switch input")) {
      input.addEventListener("change", () =>
        changeAddress({ unit: input.value === data.units[0] ? "" : input.value }));
    }
    byId("funnel-source").addEventListener("change", (event) =>
      changeAddress({ source: event.target.value }));
    for (const [view, each] of Object.entries(tables)) listenToTable(view, each);
    if (data.parallel) listenToMatrix();
  }

  function listenToMatrix() {
    for (const key of ["value", "most"])
      byId(`matrix-${key}`).addEventListener("change", (event) =>
        changeAddress({ [key]: event.target.value }));
    byId("matrix-directed").addEventListener("change", (event) =>
      changeAddress({ directed: event.target.checked ? "yes" : "" }));
  }

  function listenToTable(view, { table, sort, name, order = "sort" }) {
    byId(`${name}-search`)?.addEventListener("input", (event) =>
      changeAddress({ q: event.target.value }));
    byId(`${name}-csv`).addEventListener("click", () =>
      download(`${data.name}-${view}.csv`, table.csv()));
    table.onSort = ({ key, descending }) => {
      const wanted = `${descending ? "-" : ""}${key}`;
      changeAddress({ [order]: wanted === sort ? "" : wanted });
    };
  }

  function followWidth() {
    let width = main.clientWidth;
    new ResizeObserver(() => {
      if (main.clientWidth === width) return;
      width = main.clientWidth;
      requestAnimationFrame(show);
    }).observe(main);
  }

  document.documentElement.classList.add("scripted");
  document.querySelectorAll("table.sortable").forEach(Tables.makeSortable);
  // All views once: printing shows them all.
  for (const section of sections) drawView(section.id, new URLSearchParams());
  listen();
  show();
  followWidth();
})();
