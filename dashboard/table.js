// Tables: sorting for those the page was written with, and those that are made of columns.
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
  const LANGUAGES = [
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

  function languages(table, data, terms) {
    const severalCategories = new Set(data.category).size > 1;
    const words = [...data.words, ...data.sampled_words].filter((value) => value > 0);
    const x = d3.scaleLog(d3.extent(words), [6, 114]);
    return new ColumnTable(table, data, terms, {
      columns: LANGUAGES.filter((column) => column.key !== "category" || severalCategories),
      searched: ["label", "name", "script", "category", "tier"],
      sorting: { key: "words", descending: true },
      last: {
        title: "words, log",
        definition: "Available and sampled words, logarithmic.",
        name: "bar",
        content: (row) => [dumbbell(data.words[row], data.sampled_words[row], x)],
      },
    });
  }

  // --------------------------------------------------------- triage

  const CELLS = [
    { key: "rank", title: "#", term: "triage order", format: Format.number },
    { key: "source", title: "source", term: "cell" },
    { key: "declared", title: "declared", term: "declared", code: true, beside: "declared_name" },
    { key: "identified", title: "identified", term: "identified", code: true, beside: "identified_name" },
    { key: "script", title: "script", term: "script", code: true },
    { key: "verdict", title: "verdict", term: "verdict" },
    { key: "documents", title: "documents", term: "triaged", format: Format.number },
    { key: "share", title: "of declared", term: "share of declared", format: Format.percent },
    { key: "words", title: "words", term: "words", format: Format.number },
    { key: "dropped", title: "dropped", term: "dropped", format: Format.number },
  ];

  function triage(table, data, terms) {
    const quote = (row) => (text) => element("blockquote", { dir: "auto", lang: data.locale[row] }, text);
    const samples = (row) => {
      const [first, ...others] = data.samples[row].map(quote(row));
      if (!others.length) return first ? [first] : [];
      const more = element("details", {}, element("summary", {}, `${others.length} more`), ...others);
      return [first, more];
    };
    return new ColumnTable(table, data, terms, {
      columns: CELLS,
      searched: ["source", "declared", "declared_name", "identified", "identified_name", "script", "verdict"],
      sorting: { key: "rank", descending: false },
      more: ["declared_name", "identified_name", "samples"],
      last: { title: "sample", definition: terms.sample, name: "example", content: samples },
    });
  }

  // ---------------------------------------------------------- pairs

  const DRAWN = [
    { key: "available", title: "available", term: "available", format: Format.number },
    { key: "available_words", title: "words", term: "available", format: Format.number },
    { key: "train", title: "drawn", term: "pairs drawn", format: Format.number },
    { key: "sampled", title: "sampled", term: "sampled", format: Format.number },
    { key: "sampled_words", title: "sampled words", term: "sampled", format: Format.number },
    { key: "documents", title: "pseudo-documents", term: "pseudo-document", format: Format.number },
  ];
  const PAIRS = [
    { key: "label", title: "pair", term: "label", code: true, beside: "name" },
    { key: "tier", title: "tier", term: "tier" },
    { key: "rate", title: "epochs", term: "epochs", format: times },
    { key: "read", title: "read", term: "pairs read", format: Format.number },
    { key: "removed", title: "removed", term: "removed", format: Format.number },
    { key: "removed_share", title: "of read", term: "removed share", format: Format.percent },
    ...DRAWN,
    { key: "validation", title: "validation", term: "validation", format: Format.number },
  ];
  const DIRECTIONS = [
    { key: "direction", title: "direction", term: "direction", code: true, beside: "name" },
    ...DRAWN,
    { key: "validation", title: "validation", term: "validation as written", format: Format.number },
  ];

  function pairs(table, data, terms) {
    const chip = ([reason, count]) => element("span", { class: "chip" }, `${reason} ${Format.number(count)}`);
    return new ColumnTable(table, data, terms, {
      columns: PAIRS,
      searched: ["label", "name", "tier"],
      sorting: { key: "available", descending: true },
      more: ["name", "kept"],
      last: {
        title: "removed as",
        definition: "The most frequent reasons to drop or remove pairs.",
        name: "chips",
        content: (row) => data.losses[row].map(chip),
      },
    });
  }

  // Found by the texts of their pairs, so that one search finds the same in both tables.
  function directions(table, { pairs, directions }, terms) {
    const ofPair = (key) => directions.pair.map((row) => pairs[key][row]);
    const data = { ...directions, label: ofPair("label"), pair_name: ofPair("name"), tier: ofPair("tier") };
    return new ColumnTable(table, data, terms, {
      columns: DIRECTIONS,
      searched: ["label", "pair_name", "tier"],
      sorting: { key: "sampled", descending: true },
      more: ["name", "label"],
    });
  }

  // --------------------------------------------- a table of columns

  class ColumnTable {
    // `beside` of a column names another that stands under it in small print; `more` are columns
    // for the CSV alone; `last`, if any, is a column of other things than texts and numbers.
    constructor(table, data, terms, { columns, searched, sorting, last, more = [] }) {
      Object.assign(this, { data, columns, sorting, last, more });
      this.body = table.tBodies[0];
      this.length = data[columns[0].key].length;
      this.rows = new Array(this.length);
      this.texts = d3.range(this.length).map((row) =>
        searched.map((key) => data[key][row] ?? "").join("\n").toLowerCase());
      this.query = "";
      this.onSort = () => {};
      this.headers = columns.map((column) => this.header(column, terms[column.term]));
      const end = last ? [element("th", { scope: "col", title: last.definition }, last.title)] : [];
      table.tHead.replaceChildren(element("tr", {}, ...this.headers, ...end));
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
        const absent = value === null || value === "";
        const text = absent ? "–" : column.format ? column.format(value) : value;
        const cell = element(place ? "td" : "th", place ? {} : { scope: "row" });
        if (column.format) cell.className = "number";
        if (column.key === "bytes") cell.title = `${Format.number(value)} bytes`;
        cell.append(column.code && !absent ? element("code", {}, text) : text);
        if (column.beside) cell.append(element("small", { class: "beside" }, this.data[column.beside][index]));
        return cell;
      });
      if (this.last) cells.push(element("td", { class: this.last.name }, ...this.last.content(index)));
      return element("tr", {}, ...cells);
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
      const keys = [...this.columns.map((column) => column.key), ...this.more];
      const lines = [keys];
      for (const row of this.shown()) lines.push(keys.map((key) => this.data[key][row]));
      return lines.map((line) => line.map(csvField).join(",")).join("\r\n") + "\r\n";
    }
  }

  // A text that a spreadsheet would take for a formula is kept from being one.
  function csvField(value) {
    if (value === null) return "";
    if (typeof value === "number") return String(value);
    if (Array.isArray(value)) return csvField(value.join(" | "));
    const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  return { makeSortable, languages, triage, pairs, directions, element };
})();
