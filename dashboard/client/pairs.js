// Parallel text: the heat map with its controls, both tables, and one pair in full.
"use strict";

const Pairs = (() => {
  const { data: { parallel }, tableOf, fillTable } = Views;
  const byId = (id) => document.getElementById(id);

  // The heat map, once it was shown, and what it shows.
  let heatMap;
  let matrix;

  // Sets a list of choices from the address, or to its first.
  function chosen(id, wanted) {
    const select = byId(id);
    select.value = wanted;
    if (select.selectedIndex < 0) select.selectedIndex = 0;
    return select;
  }

  function matrixOptions(settings) {
    const value = chosen("matrix-value", settings.get("value"));
    const directed = settings.get("directed") === "yes";
    byId("matrix-directed").checked = directed;
    const order = chosen("matrix-order", settings.get("arranged")).value;
    return { value: value.value, unit: value.selectedOptions[0].textContent, directed, order };
  }

  function drawMatrix(settings, width) {
    const options = matrixOptions(settings);
    matrix = Matrix.make(parallel, tableOf("pairs").found, options);
    heatMap ??= new HeatMap(byId("matrix"));
    heatMap.show(matrix, width, settings.get("at"));
    byId("matrix-count").textContent = `${Format.number(matrix.labels.length)} languages`;
    byId("matrix-summary").textContent = Matrix.summary(parallel, matrix, options);
    byId("matrix-cell").textContent = "";
    listBlocks();
  }

  // Scripts with several languages, which the heat map can be zoomed to.
  function listBlocks() {
    const scripts = d3.rollups(matrix.labels, (some) => some.length, Matrix.scriptOf)
      .filter(([, count]) => count > 1 && count < matrix.labels.length);
    const options = scripts.map(([script, count]) =>
      Tables.element("option", { value: script }, `${parallel.scripts[script] ?? script} (${count})`));
    byId("matrix-block").replaceChildren(Tables.element("option", { value: "" }, "a script"), ...options);
  }

  // Where the languages of a script stand when they stand together.
  function placeOfScript(script, settings) {
    const { blocks } = Matrix.make(parallel, tableOf("pairs").found, { ...matrixOptions(settings), order: "script" });
    const found = blocks.find((block) => block.script === script);
    return found ? `${found.start},${found.start},${found.count}` : "";
  }

  // What the heat map has under the pointer, or where the keys are.
  function describe(found, settings) {
    const options = matrixOptions(settings);
    const text = !found ? "" : found.language === undefined
      ? Matrix.textOf(parallel, matrix, found, options)
      : Matrix.languageText(parallel, matrix, found.language, options);
    if (byId("matrix-cell").textContent !== text) byId("matrix-cell").textContent = text;
  }

  // Tells the address what is chosen, and draws what the address says.
  function listen({ readAddress, writeAddress, changeAddress }) {
    const settings = () => readAddress().settings;
    const on = (id, name, act) => byId(id).addEventListener(name, act);
    const showPair = (label) => changeAddress({ pair: label });
    // What is drawn anew is seen as a whole.
    on("matrix-value", "change", ({ target }) => changeAddress({ value: target.value, at: "" }));
    on("matrix-order", "change", ({ target }) => changeAddress({ arranged: target.value, at: "" }));
    on("matrix-directed", "change", ({ target }) => changeAddress({ directed: target.checked ? "yes" : "" }));
    on("matrix-block", "change", ({ target }) =>
      changeAddress({ arranged: "script", at: placeOfScript(target.value, settings()) }));
    on("matrix-in", "click", () => heatMap.zoomBy(1.5));
    on("matrix-out", "click", () => heatMap.zoomBy(1 / 1.5));
    on("matrix-all", "click", () => heatMap.showAll());
    on("matrix", "moved", ({ detail }) => writeAddress({ at: detail }));
    on("matrix", "look", ({ detail }) => describe(detail, settings()));
    on("matrix", "pick", ({ detail }) => showPair(parallel.pairs.label[detail]));
    on("matrix", "language", ({ detail }) =>
      changeAddress({ q: settings().get("q") === detail ? "" : detail, at: "" }));
    on("table-pairs", "click", ({ target }) => {
      const label = target.closest("button.pick")?.textContent;
      if (label) showPair(label);
    });
    on("pair-details", "click", ({ target }) => {
      if (target.closest("#pair-close")) showPair("");
    });
  }

  Views.draw.pairs = (settings, width) => {
    fillTable("pairs", settings);
    fillTable("directions", settings);
    drawMatrix(settings, width);
    PairDetails.show(byId("pair-details"), parallel, settings.get("pair") ?? "");
  };

  return { listen, heatMap: () => heatMap };
})();
