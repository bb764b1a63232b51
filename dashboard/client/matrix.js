// The matrix of pairs: languages by languages in some order, and what each cell holds.
"use strict";

const Matrix = (() => {
  const SHADES = 7;

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

  // Languages by what their pairs hold, in either place.
  function sizesOf(cells) {
    const sizes = new Map();
    for (const { source, target, value } of cells)
      for (const label of new Set([source, target])) sizes.set(label, (sizes.get(label) ?? 0) + value);
    return sizes;
  }

  const scriptOf = (label) => label.split("_")[1] ?? "";

  // Those with the most first; with `script`, all of the largest script before those of the next.
  function ordered(sizes, order) {
    const bySize = [([, size]) => -size, ([label]) => label];
    const ofScript = d3.rollup([...sizes], (some) => -d3.sum(some, ([, size]) => size), ([label]) => scriptOf(label));
    const keys = {
      size: bySize,
      label: [([label]) => label],
      script: [([label]) => ofScript.get(scriptOf(label)), ([label]) => scriptOf(label), ...bySize],
    }[order];
    return d3.sort([...sizes], ...keys).map(([label]) => label);
  }

  // Neighbours of one script, as { script, start, count }.
  function blocksOf(labels) {
    const blocks = [];
    labels.forEach((label, place) => {
      const last = blocks.at(-1);
      if (last?.script === scriptOf(label)) last.count += 1;
      else blocks.push({ script: scriptOf(label), start: place, count: 1 });
    });
    return blocks;
  }

  // Sums by row and column; both halves alike unless directions are told apart.
  function grid(cells, labels, directed) {
    const places = new Map(labels.map((label, place) => [label, place]));
    const rows = labels.map(() => new Map());
    const add = (row, column, { value, pair }) => {
      const before = rows[row].get(column)?.value ?? 0;
      rows[row].set(column, { row, column, pair, value: before + value });
    };
    for (const cell of cells) {
      const [row, column] = [places.get(cell.source), places.get(cell.target)];
      add(row, column, cell);
      if (!directed && row !== column) add(column, row, cell);
    }
    return rows;
  }

  function shadeOf(cells) {
    const [least, most] = d3.extent(cells, (cell) => cell.value);
    if (least === most) return () => SHADES - 2;
    const scale = d3.scaleLog([least, most], [0, SHADES - 1]);
    return (value) => Math.round(scale(value));
  }

  // What is to be drawn: labels, their sizes, blocks of scripts, and cells by row and column.
  function make(data, pairs, { value, directed, order }) {
    const found = cellsOf(data, pairs, value);
    const sizes = sizesOf(found);
    const labels = ordered(sizes, order);
    const rows = grid(found, labels, directed);
    const cells = rows.flatMap((row) => [...row.values()]);
    const shade = shadeOf(cells);
    for (const cell of cells) cell.shade = shade(cell.value);
    return {
      labels, cells, sizes,
      blocks: order === "script" ? blocksOf(labels) : [],
      at: (row, column) => rows[row]?.get(column),
    };
  }

  const named = (data, label) => (data.names[label] ? `${data.names[label]} (${label})` : label);

  // A cell in words.
  function textOf(data, matrix, { row, column }, { unit, directed }) {
    const cell = matrix.at(row, column);
    const names = [row, column].map((place) => named(data, matrix.labels[place]));
    if (!cell) return `${names.join(directed ? " → " : " – ")}: no ${unit}`;
    const { tier, surviving, sampled } = data.pairs;
    return (
      `${names.join(directed ? " → " : " – ")}: ${Format.number(cell.value)} ${unit}; ` +
      `both directions: ${Format.number(surviving[cell.pair])} pairs surviving, ` +
      `${Format.number(sampled[cell.pair])} sampled` +
      (tier[cell.pair] ? `; tier ${tier[cell.pair]}` : "")
    );
  }

  // A language in words.
  function languageText(data, matrix, place, { unit }) {
    const label = matrix.labels[place];
    return `${named(data, label)}: ${Format.number(matrix.sizes.get(label))} ${unit} in all its pairs`;
  }

  // The whole in words, for those who do not see it.
  function summary(data, matrix, options) {
    const distinct = matrix.cells.filter(({ row, column }) => options.directed || row <= column);
    const largest = d3.sort(distinct, (cell) => -cell.value, (cell) => cell.row).slice(0, 5);
    const texts = largest.map((cell) => textOf(data, matrix, cell, options).split(";")[0]);
    return (
      `${Format.number(matrix.labels.length)} languages; ${Format.number(distinct.length)} ` +
      `${options.directed ? "directions" : "pairs"} hold ${options.unit}.` +
      (texts.length ? ` The largest: ${texts.join("; ")}.` : "")
    );
  }

  return { make, scriptOf, textOf, languageText, summary };
})();
