// Charts: each function takes data and a width, and gives an SVG. A table stands behind each.
"use strict";

const Charts = (() => {
  const color = (group) => `var(--${group})`;
  const plain = { type: "identity" };
  const MOST_ROWS = 25;

  function plot(options) {
    const svg = Plot.plot({ color: plain, ...options });
    svg.setAttribute("role", "img");
    // The picture has one name; groups within it cannot have names of their own.
    for (const group of svg.querySelectorAll("g[aria-label]")) group.removeAttribute("aria-label");
    return svg;
  }

  // Room for names at the left: as wide as the longest, at most a share of the chart.
  function room(names, width) {
    const longest = Math.max(...names.map((name) => name.length), 4);
    return Math.min(longest * 7 + 16, Math.round(width * 0.42), 260);
  }

  function shortened(margin) {
    const most = Math.floor((margin - 16) / 6.6);
    return (name) => (name.length <= most ? name : `${name.slice(0, Math.max(most - 1, 3))}…`);
  }

  const nothing = (unit) => document.createTextNode(`There are no ${unit} to show.`);
  const ticks = (width) => Math.max(2, Math.floor(width / 130));

  // Where the bar of each step begins and ends: losses come off the level before them.
  function waterfall(steps, amounts, unit) {
    let level = 0;
    return steps.map(([title, kind, group], place) => {
      const value = amounts[place][unit];
      const before = level;
      level = { level: value, loss: before - value, gain: before + value }[kind];
      const from = kind === "level" ? 0 : Math.min(before, level);
      return { title, kind, group, value, from, to: kind === "level" ? level : Math.max(before, level) };
    });
  }

  function funnel(allSteps, amounts, unit, unitName, width) {
    // What is nought stands in the table.
    const there = d3.range(allSteps.length).filter((place) =>
      allSteps[place][1] === "level" || amounts[place][0]);
    const bars = waterfall(
      there.map((place) => allSteps[place]), there.map((place) => amounts[place]), unit);
    const read = bars[0].value;
    if (!read) return nothing(unitName);
    const titles = bars.map((bar) => bar.title);
    const marginLeft = room(titles, width);
    const text = (bar) =>
      `${Format.amount(bar.value, unitName)}${read ? ` · ${Format.percent(bar.value / read)}` : ""}`;
    return plot({
      width,
      height: 56 + 26 * bars.length,
      marginLeft,
      marginRight: width > 520 ? 140 : 126,
      marginTop: 4,
      marginBottom: 36,
      ariaLabel: `Funnel in ${unitName}`,
      x: { label: unitName, ticks: ticks(width - marginLeft), tickFormat: Format.tick(unitName), grid: true },
      y: { domain: titles, label: null, tickSize: 0, padding: 0.25, tickFormat: shortened(marginLeft) },
      marks: [
        Plot.barX(bars, {
          x1: "from", x2: "to", y: "title", fill: (bar) => color(bar.group),
          title: (bar) => `${bar.title}: ${text(bar)}`, tip: true,
        }),
        Plot.text(bars, { x: "to", y: "title", text, textAnchor: "start", dx: 6 }),
        Plot.ruleX([0]),
      ],
    });
  }

  // Two bars a row, available above sampled; as they are, or as shares of their sums.
  function pairs(rows, unit, unitName, width, { asShares }) {
    const sums = { available: 0, sampled: 0 };
    for (const row of rows) for (const kind in sums) sums[kind] += row[kind][unit];
    if (!sums.available && !sums.sampled) return nothing(unitName);
    // Tiers have an order of their own; scripts come by size.
    const ordered = asShares ? d3.sort(rows, (row) => -row.available[unit]) : rows;
    const shown = ordered.length > MOST_ROWS ? withOthers(ordered) : ordered;
    const bars = shown.flatMap((row) =>
      Object.keys(sums).map((kind) => ({
        name: row.name,
        kind,
        amount: row[kind][unit],
        value: asShares ? (sums[kind] ? row[kind][unit] / sums[kind] : 0) : row[kind][unit],
      })),
    );
    const names = shown.map((row) => row.name);
    const marginLeft = room(names, width);
    const text = (bar) => (asShares ? Format.percent(bar.value) : Format.amount(bar.value, unitName));
    return plot({
      width,
      height: 60 + 36 * shown.length,
      marginLeft,
      marginRight: asShares ? 64 : 110,
      marginTop: 4,
      marginBottom: 36,
      ariaLabel: `Available and sampled ${unitName}`,
      x: {
        label: asShares ? `share of ${unitName}` : unitName, grid: true, nice: true,
        ticks: ticks(width - marginLeft),
        tickFormat: asShares ? (value) => `${Number((100 * value).toPrecision(4))}%` : Format.tick(unitName),
      },
      y: { domain: ["available", "sampled"], axis: null, padding: 0.05 },
      fy: {
        domain: names, label: null, axis: "left", tickSize: 0, padding: 0.25,
        tickFormat: shortened(marginLeft),
      },
      marks: [
        Plot.barX(bars, {
          x: "value", y: "kind", fy: "name",
          fill: (bar) => color(bar.kind === "sampled" ? "train" : "available"),
          title: (bar) => `${bar.name}, ${bar.kind}: ${Format.amount(bar.amount, unitName)} ${unitName}`,
          tip: true,
        }),
        Plot.text(bars, { x: "value", y: "kind", fy: "name", text, textAnchor: "start", dx: 5 }),
        Plot.ruleX([0]),
      ],
    });
  }

  function withOthers(rows) {
    const rest = rows.slice(MOST_ROWS - 1);
    const sum = (kind) => rest[0][kind].map((_, unit) => d3.sum(rest, (row) => row[kind][unit]));
    const others = { name: `${rest.length} others`, available: sum("available"), sampled: sum("sampled") };
    return [...rows.slice(0, MOST_ROWS - 1), others];
  }

  // The parts of each source, such as what became of it, as shares of their sum.
  function fates(rows, unit, unitName, width, { axis, about }) {
    const pieces = rows.flatMap((row) => {
      const all = d3.sum(Object.values(row.fates), (amount) => amount[unit]);
      return Object.entries(row.fates).map(([fate, amount]) => ({
        name: row.name, fate, value: all ? amount[unit] / all : 0, amount: amount[unit],
      }));
    });
    const names = rows.map((row) => row.name);
    if (!d3.sum(pieces, (piece) => piece.amount)) return nothing(unitName);
    const marginLeft = room(names, width);
    return plot({
      width,
      height: 56 + 30 * rows.length,
      marginLeft,
      marginRight: 24,
      marginTop: 4,
      marginBottom: 36,
      ariaLabel: `${about}, in ${unitName}`,
      x: { label: axis, domain: [0, 1], ticks: 5, tickFormat: (v) => `${Math.round(100 * v)}%` },
      y: { domain: names, label: null, tickSize: 0, padding: 0.25, tickFormat: shortened(marginLeft) },
      marks: [
        Plot.barX(pieces, {
          x: "value", y: "name", order: null, fill: (piece) => color(piece.fate), insetRight: 1,
          title: (p) => `${p.name}, ${p.fate}: ${Format.amount(p.amount, unitName)} (${Format.percent(p.value)})`,
          tip: true,
        }),
      ],
    });
  }

  // One bar a row, of an amount.
  function drops(rows, unit, unitName, width) {
    return bars(
      rows.map((row) => ({ name: row.name, value: row.amount[unit] })), width,
      { unit: unitName, about: `Dropped ${unitName} by reason`, fill: "dropped" });
  }

  // One bar a row, the first ones of many.
  function bars(rows, width, { unit, about, fill }) {
    const shown = rows.slice(0, MOST_ROWS);
    const names = shown.map((row) => row.name);
    const marginLeft = room(names, width);
    return plot({
      width,
      height: 56 + 28 * shown.length,
      marginLeft,
      marginRight: 90,
      marginTop: 4,
      marginBottom: 36,
      ariaLabel: about,
      x: { label: unit, grid: true, ticks: ticks(width - marginLeft), tickFormat: Format.tick(unit) },
      y: { domain: names, label: null, tickSize: 0, padding: 0.25, tickFormat: shortened(marginLeft) },
      marks: [
        Plot.barX(shown, { x: "value", y: "name", fill: color(fill) }),
        Plot.text(shown, {
          x: "value", y: "name", textAnchor: "start", dx: 6,
          text: (row) => Format.amount(row.value, unit),
        }),
        Plot.ruleX([0]),
      ],
    });
  }

  // One dot a label; on the line every document is drawn once.
  function labels(columns, width) {
    const dots = columns.label
      .map((label, row) => ({
        label,
        name: columns.name[row],
        tier: columns.tier[row],
        available: columns.words[row],
        sampled: columns.sampled_words[row],
      }))
      .filter((dot) => dot.available > 0 && dot.sampled > 0);
    if (!dots.length) return document.createTextNode("Nothing was drawn.");
    const values = dots.flatMap((dot) => [dot.available, dot.sampled]);
    const ends = d3.extent(values).map((value, end) => value * (end ? 1.5 : 1 / 1.5));
    const axis = { type: "log", domain: ends, grid: true, tickFormat: Format.compact };
    return plot({
      width,
      height: Math.min(width * 0.75, 480),
      marginLeft: 56,
      marginBottom: 42,
      ariaLabel: "Available against sampled words of each label",
      x: { ...axis, label: "available words", ticks: ticks(width) },
      y: { ...axis, label: "sampled words", ticks: 6 },
      marks: [
        Plot.line([[ends[0], ends[0]], [ends[1], ends[1]]], { stroke: "var(--muted)", strokeDasharray: "4 4" }),
        Plot.dot(dots, {
          x: "available", y: "sampled", r: 3, fill: color("train"), fillOpacity: 0.65, tip: true,
          title: (dot) =>
            `${dot.label} ${dot.name}\ntier ${dot.tier}\n` +
            `${Format.number(dot.available)} words available\n${Format.number(dot.sampled)} sampled`,
        }),
      ],
    });
  }

  return { funnel, pairs, fates, drops, bars, labels, plot, color, ticks };
})();
