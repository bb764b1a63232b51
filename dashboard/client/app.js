// The page: which view is shown and how, kept in the address so that it can be passed on.
"use strict";

(() => {
  const { data, tables, tableOf } = Views;
  const main = document.getElementById("main");
  const sections = [...document.querySelectorAll("section.view")];
  const byId = (id) => document.getElementById(id);

  // ---------------------------------------------------------- address

  // "#languages?q=swahili&sort=-words": the view, and what is set in it.
  function readAddress() {
    const [view, query = ""] = location.hash.slice(1).split("?");
    const section = sections.find((each) => each.id === view) ?? sections[0];
    return { section, settings: new URLSearchParams(query) };
  }

  function changeAddress(changes) {
    writeAddress(changes);
    show();
  }

  function writeAddress(changes) {
    const { section, settings } = readAddress();
    for (const [key, value] of Object.entries(changes)) {
      if (value) settings.set(key, value);
      else settings.delete(key);
    }
    const query = settings.toString();
    history.replaceState(null, "", `#${section.id}${query ? `?${query}` : ""}`);
  }

  const drawn = new Set();
  // What a chart has within the edges of its figure.
  const EDGES = 26;
  const width = () => {
    const padding = 2 * Number.parseFloat(getComputedStyle(main).paddingInlineStart);
    return Math.max(260, Math.floor(main.clientWidth - padding - EDGES));
  };
  let shown;

  function show() {
    const { section, settings } = readAddress();
    for (const each of sections) each.classList.toggle("current", each === section);
    for (const link of document.querySelectorAll("nav a")) {
      if (link.hash !== `#${section.id}`) link.removeAttribute("aria-current");
      else if (!link.hasAttribute("aria-current")) {
        link.setAttribute("aria-current", "page");
        link.scrollIntoView({ block: "nearest", inline: "nearest" });
      }
    }
    Views.show(section, settings, width());
    drawn.add(section);
    if (shown && shown !== section) window.scrollTo(0, 0);
    shown = section;
  }

  // --------------------------------------------------------- controls

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
    byId("funnel-of").addEventListener("change", (event) =>
      changeAddress({ of: event.target.selectedIndex ? event.target.value : "" }));
    byId("language-warned")?.addEventListener("change", (event) =>
      changeAddress({ warned: event.target.checked ? "yes" : "" }));
    for (const select of document.querySelectorAll("select[data-setting]")) {
      select.addEventListener("change", () =>
        changeAddress({ [select.dataset.setting]: select.selectedIndex ? select.value : "" }));
    }
    for (const [view, each] of Object.entries(tables)) listenToTable(view, each);
    if (data.parallel) Pairs.listen({ readAddress, writeAddress, changeAddress });
  }

  function listenToTable(key, { sort, name, order = "sort" }) {
    byId(`${name}-search`)?.addEventListener("input", (event) =>
      changeAddress({ q: event.target.value, at: "" }));
    byId(`${name}-csv`).addEventListener("click", () =>
      Tables.download(`${data.name}-${key}.csv`, tableOf(key).csv()));
    byId(`table-${key}`).addEventListener("sort", ({ detail }) =>
      changeAddress({ [order]: detail === sort ? "" : detail }));
  }

  function dressTable(table) {
    const by = `by-${table.id.replace("table-", "")}`;
    Tables.dress(table, data.name, (order) => changeAddress({ [by]: order }));
  }

  function followWidth() {
    let before = width();
    new ResizeObserver(() => {
      if (width() === before) return;
      before = width();
      requestAnimationFrame(show);
    }).observe(main);
  }

  // Printing shows all views, and of the longest tables the first rows.
  function preparePrinting() {
    for (const section of sections)
      if (!drawn.has(section)) Views.show(section, new URLSearchParams(), width());
    for (const key of Object.keys(tables)) tableOf(key).showMore(200);
  }

  document.documentElement.classList.add("scripted");
  document.querySelectorAll("table.sortable, table.exported, #table-funnel").forEach(dressTable);
  window.addEventListener("beforeprint", preparePrinting);
  listen();
  show();
  followWidth();
})();
