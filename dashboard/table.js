// Tables: sorting for those the page was written with, and the table of languages.
"use strict";

const Tables = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const collator = new Intl.Collator("en", { numeric: true });

  // Numbers by size, texts by the alphabet, what is absent at the end in either direction.
  function comparison(valueOf, descending) {
    const sign = descending ? -1 : 1;
    return (a, b) => {
      const [x, y] = [valueOf(a), valueOf(b)];
      const [absentX, absentY] = [x === null || x === "", y === null || y === ""];
      if (absentX || absentY) return absentX - absentY;
      return sign * (typeof x === "number" ? x - y : collator.compare(x, y));
    };
  }

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  // ------------------------------------------------------ any table

  // The header cell of each column, where headers stand in two rows.
  function headersByColumn(table) {
    const grid = [];
    [...table.tHead.rows].forEach((row, y) => {
      let x = 0;
      for (const cell of row.cells) {
        while (grid[y]?.[x]) x += 1;
        for (let dy = 0; dy < cell.rowSpan; dy += 1)
          for (let dx = 0; dx < cell.colSpan; dx += 1) (grid[y + dy] ??= [])[x + dx] = cell;
        x += cell.colSpan;
      }
    });
    return grid[grid.length - 1];
  }

  function cellValue(row, column) {
    const cell = row.cells[column];
    const value = cell.dataset.value;
    return value === undefined ? cell.textContent.trim() : Number(value);
  }

  function makeSortable(table) {
    const headers = headersByColumn(table);
    const body = table.tBodies[0];
    if (body.rows.length < 2) return;
    headers.forEach((header, column) => {
      const button = element("button", { type: "button", class: "sort" }, ...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => {
        const ascending = header.getAttribute("aria-sort") === "descending";
        const first = cellValue(body.rows[0], column);
        const descending = header.hasAttribute("aria-sort") ? !ascending : typeof first === "number";
        markSorted(headers, header, descending);
        const rows = [...body.rows];
        rows.sort(comparison((row) => cellValue(row, column), descending));
        body.replaceChildren(...rows);
      });
    });
  }

  function markSorted(headers, sorted, descending) {
    for (const header of headers) header.removeAttribute("aria-sort");
    sorted.setAttribute("aria-sort", descending ? "descending" : "ascending");
  }

  // ------------------------------------------------------ languages

  const times = (rate) => `${Format.number(rate)}×`;
  const COLUMNS = [
    { key: "label", title: "label", term: "label", code: true },
    { key: "name", title: "language", term: "label" },
    { key: "script", title: "script", term: "label", code: true },
    { key: "category", title: "category", term: "tier" },
    { key: "tier", title: "tier", term: "tier" },
    { key: "rate", title: "epochs", term: "epochs", format: times },
    { key: "documents", title: "documents", term: "available", format: Format.number },
    { key: "words", title: "words", term: "available", format: Format.number },
    { key: "bytes", title: "bytes", term: "available", format: Format.size },
    { key: "sampled_words", title: "sampled words", term: "sampled", format: Format.number },
    { key: "sampled_share", title: "sampled share", term: "sampled share", format: Format.percent },
    { key: "duplicates_share", title: "duplicates", term: "duplicates share", format: Format.percent },
    { key: "dropped_share", title: "dropped", term: "dropped share", format: Format.percent },
  ];

  // Two dots on a logarithmic scale: available and sampled words.
  function dumbbell(available, sampled, x) {
    const svg = document.createElementNS(SVG, "svg");
    const add = (name, attributes) => {
      const mark = svg.appendChild(document.createElementNS(SVG, name));
      for (const [key, value] of Object.entries(attributes)) mark.setAttribute(key, value);
    };
    svg.setAttribute("viewBox", "0 0 120 14");
    svg.setAttribute("class", "dumbbell");
    svg.setAttribute("aria-hidden", "true");
    add("line", { class: "track", x1: 6, x2: 114, y1: 7, y2: 7 });
    if (available && sampled) add("line", { class: "span", x1: x(available), x2: x(sampled), y1: 7, y2: 7 });
    if (available) add("circle", { class: "available", cx: x(available), cy: 7, r: 4 });
    if (sampled) add("circle", { class: "train", cx: x(sampled), cy: 7, r: 4 });
    return svg;
  }

  class LanguageTable {
    constructor(table, columns, terms) {
      this.data = columns;
      this.body = table.tBodies[0];
      this.length = columns.label.length;
      const severalCategories = new Set(columns.category).size > 1;
      this.columns = COLUMNS.filter((column) => column.key !== "category" || severalCategories);
      const words = [...columns.words, ...columns.sampled_words].filter((value) => value > 0);
      this.x = d3.scaleLog(d3.extent(words), [6, 114]);
      this.rows = new Array(this.length);
      this.texts = columns.label.map((label, row) =>
        [label, columns.name[row], columns.script[row], columns.category[row], columns.tier[row] ?? ""]
          .join("\n").toLowerCase(),
      );
      this.sorting = { key: "words", descending: true };
      this.query = "";
      this.onSort = () => {};
      this.headers = this.columns.map((column) => this.header(column, terms[column.term]));
      const bar = element("th", { scope: "col", title: "Available and sampled words, logarithmic." }, "words, log");
      table.tHead.replaceChildren(element("tr", {}, ...this.headers, bar));
    }

    header(column, definition) {
      const button = element("button", { type: "button", class: "sort" }, column.title);
      button.addEventListener("click", () => {
        const again = this.sorting.key === column.key;
        const descending = again ? !this.sorting.descending : Boolean(column.format);
        this.onSort({ key: column.key, descending });
      });
      const attributes = { scope: "col", title: definition };
      if (column.format) attributes.class = "number";
      return element("th", attributes, button);
    }

    row(index) {
      const cells = this.columns.map((column, place) => {
        const value = this.data[column.key][index];
        const text = value === null ? "–" : column.format ? column.format(value) : value;
        const cell = element(place ? "td" : "th", place ? {} : { scope: "row" });
        if (column.format) cell.className = "number";
        if (column.key === "bytes") cell.title = `${Format.number(value)} bytes`;
        cell.append(column.code ? element("code", {}, text) : text);
        return cell;
      });
      const bar = dumbbell(this.data.words[index], this.data.sampled_words[index], this.x);
      return element("tr", {}, ...cells, element("td", { class: "bar" }, bar));
    }

    // Indices of the rows that match, in order.
    shown() {
      const wanted = this.query.toLowerCase().split(/\s+/).filter(Boolean);
      const found = d3.range(this.length).filter((row) =>
        wanted.every((word) => this.texts[row].includes(word)),
      );
      const values = this.data[this.sorting.key];
      return found.sort(comparison((row) => values[row], this.sorting.descending));
    }

    update({ query, key, descending }) {
      const column = this.columns.findIndex((each) => each.key === key);
      this.query = query;
      if (column >= 0) this.sorting = { key, descending };
      const place = this.columns.findIndex((each) => each.key === this.sorting.key);
      markSorted(this.headers, this.headers[place], this.sorting.descending);
      const rows = this.shown();
      this.body.replaceChildren(...rows.map((row) => (this.rows[row] ??= this.row(row))));
      return rows.length;
    }

    csv() {
      const lines = [this.columns.map((column) => column.key)];
      for (const row of this.shown()) lines.push(this.columns.map((column) => this.data[column.key][row]));
      return lines.map((line) => line.map(csvField).join(",")).join("\r\n") + "\r\n";
    }
  }

  // A text that a spreadsheet would take for a formula is kept from being one.
  function csvField(value) {
    if (value === null) return "";
    if (typeof value === "number") return String(value);
    const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  return { makeSortable, LanguageTable, element };
})();
