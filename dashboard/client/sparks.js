// Sparks: small pictures in the cells of tables; what they show stands in the row, too.
"use strict";

const Sparks = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const [WIDTH, HEIGHT, EDGE] = [120, 14, 6];

  function picture(name, title) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    svg.setAttribute("class", name);
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", title);
    add(svg, "title", {}).textContent = title;
    return svg;
  }

  function add(parent, name, attributes) {
    const mark = parent.appendChild(document.createElementNS(SVG, name));
    for (const [key, value] of Object.entries(attributes)) mark.setAttribute(key, value);
    return mark;
  }

  // Two dots on a logarithmic scale.
  function dumbbell(available, sampled, x) {
    const svg = picture(
      "spark", `${Format.number(available)} words available, ${Format.number(sampled)} sampled`);
    add(svg, "line", { class: "track", x1: EDGE, x2: WIDTH - EDGE, y1: 7, y2: 7 });
    if (available && sampled)
      add(svg, "line", { class: "span", x1: x(available), x2: x(sampled), y1: 7, y2: 7 });
    if (available) add(svg, "circle", { class: "available", cx: x(available), cy: 7, r: 4 });
    if (sampled) add(svg, "circle", { class: "train", cx: x(sampled), cy: 7, r: 4 });
    return svg;
  }

  // Quantiles on a scale: a line from the first to the last of five, a box between the second and
  // the fourth, a stroke at the middle; a thin one at `at`.
  function box(quantiles, x, { at, title }) {
    const svg = picture("spark", title);
    const [first, lower, middle, upper, last] = quantiles.map(x);
    add(svg, "line", { class: "track", x1: EDGE, x2: WIDTH - EDGE, y1: 7, y2: 7 });
    add(svg, "line", { class: "track", x1: x(at), x2: x(at), y1: 0, y2: HEIGHT });
    add(svg, "line", { class: "span", x1: first, x2: last, y1: 7, y2: 7 });
    add(svg, "rect", { class: "box", x: lower, y: 3, width: Math.max(upper - lower, 1), height: 8 });
    add(svg, "line", { class: "middle", x1: middle, x2: middle, y1: 1, y2: HEIGHT - 1 });
    return svg;
  }

  const scale = (values) => d3.scaleLog(d3.extent(values), [EDGE, WIDTH - EDGE]);

  // Parts of a whole, each { name, value, fill }.
  function stack(parts, title) {
    const all = d3.sum(parts, (part) => part.value);
    const shown = parts.filter((part) => part.value > 0);
    const text = shown.map((part) => `${part.name} ${Format.percent(part.value / all)}`).join(", ");
    const svg = picture("spark", `${title}: ${text || "nothing"}`);
    let from = 0;
    for (const part of shown) {
      const width = (WIDTH * part.value) / all;
      add(svg, "rect", { x: from, y: 2, width, height: 10, fill: part.fill });
      from += width;
    }
    return svg;
  }

  // The colour that a legend explains.
  function swatch(attributes) {
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", "0 0 10 10");
    svg.setAttribute("class", "key");
    svg.setAttribute("aria-hidden", "true");
    add(svg, "rect", attributes);
    return svg;
  }

  return { box, dumbbell, scale, stack, swatch };
})();
