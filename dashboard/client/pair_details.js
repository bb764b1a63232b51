// One pair of languages: how long its sides are and how they compare, its directions and losses.
"use strict";

const PairDetails = (() => {
  const { element } = Tables;
  const digits = (value) => Format.number(Number(value.toPrecision(4)));

  // A row a measure: how many pairs have it, the least, the ranks, the greatest.
  function quantiles(measures, ranks) {
    const cell = (text) => element("td", { class: "number" }, text);
    const head = ["", "pairs", "least", ...ranks.map((rank) => `${100 * rank}%`), "greatest"];
    const rows = measures.map(([title, [count, ...values]]) =>
      element("tr", {}, element("th", { scope: "row" }, title), cell(Format.number(count)), ...values.map((value) => cell(digits(value)))));
    return element("table", { id: "table-quantiles" },
      element("caption", { class: "hidden" }, "Quantiles of the pair"),
      element("thead", {}, element("tr", {}, ...head.map((text, place) =>
        (text ? element("th", { scope: "col", class: place ? "number" : "" }, text) : element("td"))))),
      element("tbody", {}, ...rows));
  }

  function measuresOf(parallel, row, names) {
    const { profile, scores } = parallel.pairs;
    const titled = (title) => title.replace("the first", names[0]).replace("the second", names[1])
      .replace("second over first", `characters, ${names[1]} over ${names[0]}`);
    const own = Object.entries(profile[row] ?? {}).map(([name, values]) => [titled(parallel.measures[name]), values]);
    return [...own, ...Object.entries(scores[row] ?? {}).map(([name, values]) => [`score ${name}`, values])];
  }

  function list(title, texts) {
    const chips = texts.flatMap((text) => [element("span", { class: "chip" }, text), " "]);
    return element("p", {}, `${title}: `, ...(chips.length ? chips : ["none"]));
  }

  // Fills a box with the pair of a label; empties and hides it where there is none.
  function show(box, parallel, label) {
    const { pairs, directions } = parallel;
    const row = label ? pairs.label.indexOf(label) : -1;
    box.hidden = row < 0;
    if (box.dataset.label === label) return;
    box.dataset.label = label;
    box.replaceChildren();
    if (row < 0) return;
    const names = label.split("-").map((each) => parallel.names[each] ?? each);
    const measures = measuresOf(parallel, row, names);
    const ways = d3.range(directions.pair.length).filter((way) => directions.pair[way] === row);
    box.append(
      element("h4", {}, `${pairs.name[row]} `, element("code", {}, label)),
      element("button", { type: "button", class: "small", id: "pair-close" }, "Close"),
      ...pairs.warnings[row].map((text) => element("p", { class: "warn" }, text)),
      measures.length
        ? element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table of quantiles" }, quantiles(measures, parallel.ranks))
        : element("p", {}, "Ingest left no sketches of these pairs."),
      list("Surviving by direction", ways.map((way) => `${directions.name[way]} ${Format.number(directions.surviving[way])}`)),
      list(`Removed ${Format.number(pairs.removed[row])} of ${Format.number(pairs.read[row])}`,
        pairs.losses[row].map(([reason, count]) => `${parallel.reasons[reason]} ${Format.number(count)}`)),
    );
  }

  return { show };
})();
