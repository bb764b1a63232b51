// The matrix of pairs: languages by languages, those with the most first.
"use strict";

const Matrix = (() => {
  const SHADES = 7;
  const { element } = Tables;

  // The directions of two languages as cells: { source, target, value, pair }.
  function cellsOf(data, pairs, value) {
    const wanted = new Set(pairs);
    const { pair, direction } = data.directions;
    return d3.range(pair.length).flatMap((row) => {
      const labels = direction[row].split(">");
      const amount = data.directions[value][row];
      if (labels.length !== 2 || !amount || !wanted.has(pair[row])) return [];
      return [{ source: labels[0], target: labels[1], value: amount, pair: pair[row] }];
    });
  }

  // Sums by row and column; both halves alike unless directions are told apart.
  function grid(cells, directed) {
    const rows = new Map();
    const add = (source, target, { value, pair }) => {
      if (!rows.has(source)) rows.set(source, new Map());
      const found = rows.get(source).get(target) ?? { value: 0, pair };
      rows.get(source).set(target, { value: found.value + value, pair });
    };
    for (const cell of cells) {
      add(cell.source, cell.target, cell);
      if (!directed && cell.source !== cell.target) add(cell.target, cell.source, cell);
    }
    return rows;
  }

  // Languages by what their pairs hold, in either place.
  function bySize(cells) {
    const sizes = new Map();
    for (const { source, target, value } of cells)
      for (const label of new Set([source, target])) sizes.set(label, (sizes.get(label) ?? 0) + value);
    return d3.sort([...sizes], ([label, size]) => -size, ([label]) => label);
  }

  function shadeOf(rows) {
    const values = [...rows.values()].flatMap((row) => [...row.values()].map((cell) => cell.value));
    const [least, most] = d3.extent(values);
    if (least === most) return () => SHADES - 2;
    const scale = d3.scaleLog([least, most], [0, SHADES - 1]);
    return (value) => Math.round(scale(value));
  }

  function titleOf(data, source, target, { value, pair }, { unit, directed }) {
    const names = [source, target].map((label) => data.names[label] ?? label);
    const { tier, available, sampled } = data.pairs;
    return (
      `${names.join(directed ? " → " : " – ")}: ${Format.number(value)} ${unit}\n` +
      `both directions: ${Format.number(available[pair])} pairs available, ` +
      `${Format.number(sampled[pair])} sampled` +
      (tier[pair] ? `\ntier ${tier[pair]}` : "")
    );
  }

  function header(data, label, attributes) {
    const zoom = element("button", { type: "button", class: "zoom" }, element("code", {}, label));
    return element("th", { title: data.names[label] ?? label, ...attributes }, zoom);
  }

  // Draws into a table; gives what is shown of what there is.
  function draw(table, data, pairs, options) {
    const cells = cellsOf(data, pairs, options.value);
    const languages = bySize(cells);
    const shown = languages.slice(0, options.most);
    const rows = grid(cells, options.directed);
    const shade = shadeOf(rows);
    const labels = shown.map(([label]) => label);
    const corner = element("th", { scope: "col" }, options.directed ? "source ↓ target →" : "language");
    const sum = element("th", { scope: "col", class: "number", title: "In all pairs, shown or not." }, "all");
    const head = labels.map((label) => header(data, label, { scope: "col", class: "upright" }));
    table.tHead.replaceChildren(element("tr", {}, corner, sum, ...head));
    table.tBodies[0].replaceChildren(...shown.map(([source, size]) => {
      const all = element("td", { class: "number sum", title: Format.number(size) }, Format.compact(size));
      const values = labels.map((target) => {
        const found = rows.get(source)?.get(target);
        if (!found) return element("td", source === target ? { class: "same" } : {});
        const title = titleOf(data, source, target, found, options);
        return element("td", { class: `shade-${shade(found.value)}`, title }, Format.compact(found.value));
      });
      return element("tr", {}, header(data, source, { scope: "row" }), all, ...values);
    }));
    return { shown: shown.length, all: languages.length };
  }

  return { draw };
})();
