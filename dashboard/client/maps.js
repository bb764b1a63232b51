// Maps: charts of many labels at once. A table stands behind each.
"use strict";

const Maps = (() => {
  const { plot, color, ticks } = Charts;
  const LEFT_OUT = "none";
  const MOST_POINTS = 2_000;

  // A colour for each tier, from the largest to the smallest.
  function tierColors(tiers) {
    const scale = (place) => (tiers.length > 1 ? place / (tiers.length - 1) : 0.5);
    const colors = new Map(tiers.map((tier, place) => [tier, d3.interpolateViridis(0.12 + 0.76 * scale(place))]));
    return (tier) => colors.get(tier ?? LEFT_OUT) ?? "var(--unsampled)";
  }

  // Rectangles of labels, grouped by tier; `key` is the column that they are as large as.
  function rectangles(columns, tiers, key, [width, height]) {
    const groups = [...tiers, null].map((tier) => ({
      tier,
      children: d3.range(columns.label.length)
        .filter((row) => columns.tier[row] === tier && columns[key][row] > 0)
        .map((row) => ({ row, value: columns[key][row], tier })),
    }));
    const root = d3.hierarchy({ children: groups.filter((group) => group.children.length) })
      .sum((node) => node.value ?? 0)
      .sort((a, b) => (a.depth === 2 ? b.value - a.value : 0));
    // Tiers side by side in their order, so that both maps can be compared.
    const tile = (node, ...edges) =>
      (node.depth ? d3.treemapSquarify : d3.treemapDice)(node, ...edges);
    d3.treemap().tile(tile).size([width, height]).paddingInner(0.5)(root);
    return root.leaves();
  }

  // What fits into a rectangle: the label, its language, or nothing.
  function caption(label, { x0, x1, y0, y1 }) {
    const fits = (text) => 7 * text.length + 5 < x1 - x0;
    return y1 - y0 > 16 ? [label, label.split("_")[0]].find(fits) : undefined;
  }

  function treemaps(columns, tiers, width) {
    const apart = width < 640 ? 0 : 16;
    const size = apart ? [(width - apart) / 2, 380] : [width, 260];
    const svg = d3.create("svg").attr("role", "img").attr("class", "map")
      .attr("aria-label", "Labels by tier, available and sampled words")
      .attr("viewBox", [0, 0, width, (apart ? 1 : 2) * (size[1] + 24)].join(" "));
    const fill = tierColors(tiers);
    ["words", "sampled_words"].forEach((key, place) => {
      const group = svg.append("g").attr("transform",
        apart ? `translate(${place * (size[0] + apart)},0)` : `translate(0,${place * (size[1] + 24)})`);
      const all = d3.sum(columns[key]);
      group.append("text").attr("y", 14).attr("class", "heading")
        .text(`${place ? "sampled" : "available"}: ${Format.compact(all)} words`);
      const cells = group.append("g").attr("transform", "translate(0,22)")
        .selectAll("g").data(rectangles(columns, tiers, key, size)).join("g")
        .attr("transform", (node) => `translate(${node.x0},${node.y0})`);
      cells.append("rect").attr("fill", (node) => fill(node.data.tier))
        .attr("width", (node) => node.x1 - node.x0).attr("height", (node) => node.y1 - node.y0);
      cells.append("title").text(({ data: { row, value, tier } }) =>
        `${columns.label[row]} ${columns.name[row]}\n${columns.category[row]}, ` +
        `${tier ? `tier ${tier}` : "left out"}\n${Format.number(value)} words, ${Format.percent(value / all)}`);
      cells.filter((node) => caption(columns.label[node.data.row], node)).append("text")
        .attr("x", 4).attr("y", 13).attr("class", (node) => (d3.lab(fill(node.data.tier)).l > 50 ? "dark" : "light"))
        .text((node) => caption(columns.label[node.data.row], node));
    });
    return svg.node();
  }

  // Clusters of at least a size, on logarithmic scales.
  function clusters(sizes, kind, width) {
    if (!sizes.some(([size]) => size > 1)) return document.createTextNode(`No ${kind} are duplicates.`);
    let left = d3.sum(sizes, ([, count]) => count);
    const points = sizes.map(([size, count]) => {
      const at = { size, count, least: left };
      left -= count;
      return at;
    });
    const whole = (size) => (Number.isInteger(size) ? Format.compact(size) : "");
    const ends = [1, Math.max(2, points[points.length - 1].size)];
    return plot({
      width,
      height: 300,
      marginLeft: 64,
      marginBottom: 42,
      ariaLabel: `Clusters of ${kind} of at least a size`,
      x: { type: "log", domain: ends, grid: true, label: "cluster size", tickFormat: whole, ticks: ticks(width) },
      y: { type: "log", domain: [0.8, points[0].least * 1.2], grid: true, label: "clusters of at least this size", tickFormat: Format.compact, ticks: 5 },
      marks: [
        Plot.line(points, { x: "size", y: "least", stroke: color("duplicates"), strokeWidth: 2, curve: "step-before" }),
        Plot.dot(points.length > MOST_POINTS ? [] : points, {
          x: "size", y: "least", r: 3, fill: color("duplicates"), tip: true,
          title: (p) => `${Format.number(p.count)} clusters of ${Format.number(p.size)}\n${Format.number(p.least)} of at least as many`,
        }),
      ],
    });
  }

  // One dot a label; the line is the fertility of English.
  function fertility(columns, width) {
    const dots = columns.label.map((label, row) => ({
      label, name: columns.name[row], words: columns.words[row], tokens: columns.tokens[row],
      fertility: columns.fertility[row], premium: columns.premium[row],
    })).filter((dot) => dot.words > 0);
    const { reference } = columns;
    const marks = reference ? [Plot.ruleY([reference], { stroke: "var(--muted)", strokeDasharray: "4 4" })] : [];
    return plot({
      width,
      height: 400,
      marginLeft: 56,
      marginBottom: 42,
      ariaLabel: "Fertility of labels by their words",
      x: { type: "log", grid: true, label: "words", tickFormat: Format.compact, ticks: ticks(width) },
      y: { grid: true, zero: true, label: "tokens a word" },
      marks: [
        ...marks,
        Plot.dot(dots, {
          x: "words", y: "fertility", r: 3, fill: color("train"), fillOpacity: 0.65, tip: true,
          title: (dot) => `${dot.label} ${dot.name}\n${Format.number(dot.fertility)} tokens a word` +
            (dot.premium ? `\npremium ${Format.number(dot.premium)}` : ""),
        }),
      ],
    });
  }

  return { treemaps, tierColors, clusters, fertility };
})();
