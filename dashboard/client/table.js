// Tables: those the page was written with, and those that are made of columns as they are needed.
"use strict";

const Tables = (() => {
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
    if (value === "") return null;
    return value === undefined ? cell.textContent.trim() : Number(value);
  }

  // Gives the columns of a table buttons to sort by; `onSort` is told which, and `sortTable` does it.
  function makeSortable(table, onSort) {
    const headers = headersByColumn(table);
    if (table.tBodies[0].rows.length < 2) return;
    headers.forEach((header, column) => {
      const button = element("button", { type: "button", class: "sort" }, ...header.childNodes);
      header.append(button);
      button.addEventListener("click", () => {
        const sorted = header.getAttribute("aria-sort");
        const first = cellValue(table.tBodies[0].rows[0], column);
        const descending = sorted ? sorted === "ascending" : typeof first === "number";
        onSort(`${descending ? "-" : ""}${column + 1}`);
      });
    });
  }

  const written = new WeakMap(); // rows of a table in the order it was written with

  // Sorts a table by "3" or "-3", its third column, or gives it its first order back.
  function sortTable(table, order) {
    const body = table.tBodies[0];
    if (!written.has(table)) written.set(table, [...body.rows]);
    const headers = headersByColumn(table);
    const column = Math.abs(Number(order)) - 1;
    const rows = [...written.get(table)];
    for (const header of headers) header.removeAttribute("aria-sort");
    if (order && headers[column]?.querySelector("button.sort")) {
      const descending = order.startsWith("-");
      markSorted(headers, headers[column], descending);
      rows.sort(comparison((row) => cellValue(row, column), descending));
    }
    if (rows.some((row, place) => row !== body.rows[place])) body.replaceChildren(...rows);
  }

  // The cells of a table as they are sorted by; titles of two rows are joined.
  function csvOf(table) {
    const headers = headersByColumn(table);
    const group = (cell, column) => {
      let from = 0;
      for (const each of table.tHead.rows[0].cells) {
        if (column < from + each.colSpan) return each === cell ? "" : `${each.textContent.trim()} `;
        from += each.colSpan;
      }
      return "";
    };
    const titles = headers.map((cell, column) => group(cell, column) + cell.textContent.trim());
    const rows = [...table.tBodies[0].rows].map((row) =>
      [...row.cells].map((_, column) => cellValue(row, column)));
    return csv([titles, ...rows]);
  }

  function markSorted(headers, sorted, descending) {
    for (const header of headers) header.removeAttribute("aria-sort");
    sorted.setAttribute("aria-sort", descending ? "descending" : "ascending");
  }

  function download(name, text) {
    const link = element("a", { download: name });
    link.href = URL.createObjectURL(new Blob(["\ufeff", text], { type: "text/csv" }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  // Makes a table that the page was written with sortable, where it says so, and downloadable.
  function dress(table, prefix, onSort) {
    const name = table.id.replace("table-", "");
    if (table.classList.contains("sortable")) makeSortable(table, onSort);
    const button = element("button", { type: "button", class: "small" }, "CSV");
    const label = table.parentElement.getAttribute("aria-label");
    button.setAttribute("aria-label", `Download as CSV: ${label}`);
    button.addEventListener("click", () => download(`${prefix}-${name}.csv`, csvOf(table)));
    table.parentElement.before(element("div", { class: "export" }, button));
  }

  // --------------------------------------------- a table of columns

  // Rows are made as they come into sight: thousands at once would take a browser seconds.
  const ROWS_AT_ONCE = 30;
  // Of a table further down the page than this share of what is seen, the first few are enough.
  const [FEW_ROWS, NEAR] = [5, "25%"];

  class ColumnTable {
    // `beside` of a column names another that stands under it in small print; `content` of one
    // makes its cell; one that `picks` is of buttons; `more` are columns for the CSV alone.
    constructor(table, data, terms, { columns, searched, sorting, more = [] }) {
      Object.assign(this, { table, data, columns, sorting, more });
      this.body = table.tBodies[0];
      this.length = data[columns[0].key].length;
      this.rows = new Array(this.length);
      this.texts = d3.range(this.length).map((row) =>
        searched.map((key) => data[key][row] ?? "").join("\n").toLowerCase());
      this.query = "";
      this.only = () => true;
      this.found = [];
      this.headers = columns.map((column) => this.header(column, terms[column.term]));
      table.tHead.replaceChildren(element("tr", {}, ...this.headers));
      const region = table.parentElement;
      region.addEventListener("scroll", () => {
        this.isScrolled = true;
        if (region.scrollTop + 2 * region.clientHeight > region.scrollHeight) this.showMore();
      }, { passive: true });
      this.isNear = true;
      new IntersectionObserver(([{ isIntersecting, boundingClientRect }]) => {
        this.isNear = isIntersecting || !boundingClientRect.height; // a view that is not shown
        if (this.isNear) this.showMore(ROWS_AT_ONCE);
      }, { rootMargin: NEAR }).observe(region);
    }

    header(column, term) {
      const definition = column.definition ?? term ?? column.title;
      if (column.content) return element("th", { scope: "col", title: definition }, column.title);
      const button = element("button", { type: "button", class: "sort" }, column.title);
      button.addEventListener("click", () => {
        const again = this.sorting.key === column.key;
        const descending = again ? !this.sorting.descending : Boolean(column.format);
        const detail = `${descending ? "-" : ""}${column.key}`;
        this.table.dispatchEvent(new CustomEvent("sort", { detail }));
      });
      const attributes = { scope: "col", title: definition };
      if (column.format) attributes.class = "number";
      return element("th", attributes, button);
    }

    row(index) {
      const cells = this.columns.map((column, place) => {
        if (column.content)
          return element("td", { class: column.name }, ...column.content(index));
        const value = this.data[column.key][index];
        const absent = value === null || value === "";
        const text = absent ? "–" : column.format ? column.format(value) : value;
        const cell = element(place ? "td" : "th", place ? {} : { scope: "row" });
        if (column.format) cell.className = "number";
        if (column.exact) cell.title = column.exact(value);
        const shown = column.code && !absent ? element("code", {}, text) : text;
        cell.append(column.picks ? element("button", { type: "button", class: "pick" }, shown) : shown);
        if (column.beside) cell.append(element("small", { class: "beside" }, this.data[column.beside][index]));
        return cell;
      });
      return element("tr", {}, ...cells);
    }

    // Indices of the rows that match, in order.
    shown() {
      const wanted = this.query.toLowerCase().split(/\s+/).filter(Boolean);
      const found = d3.range(this.length).filter((row) =>
        this.only(row) && wanted.every((word) => this.texts[row].includes(word)),
      );
      const values = this.data[this.sorting.key];
      return found.sort(comparison((row) => values[row], this.sorting.descending));
    }

    // Shows the rows that match in the order wanted; gives how many there are.
    update({ query, key, descending, only = () => true }) {
      const column = this.columns.findIndex((each) => each.key === key && !each.content);
      this.query = query;
      this.only = only;
      if (column >= 0) this.sorting = { key, descending };
      const place = this.columns.findIndex((each) => each.key === this.sorting.key);
      markSorted(this.headers, this.headers[place], this.sorting.descending);
      this.found = this.shown();
      this.table.setAttribute("aria-rowcount", this.found.length + 1);
      this.body.replaceChildren();
      this.showMore(this.isNear ? ROWS_AT_ONCE : FEW_ROWS);
      // Whoever asks for the place makes the browser lay the table out at once.
      if (this.isScrolled) this.table.parentElement.scrollTop = 0;
      this.isScrolled = false;
      return this.found.length;
    }

    // Shows further rows, or as many as wanted.
    showMore(least = this.body.rows.length + ROWS_AT_ONCE) {
      const from = this.body.rows.length;
      const rows = this.found.slice(from, least);
      this.body.append(...rows.map((row, place) => {
        const made = (this.rows[row] ??= this.row(row));
        made.setAttribute("aria-rowindex", from + place + 2);
        return made;
      }));
    }

    csv() {
      const plain = this.columns.filter((column) => !column.content).map((column) => column.key);
      const keys = [...plain, ...this.more];
      return csv([keys, ...this.shown().map((row) => keys.map((key) => this.data[key][row]))]);
    }
  }

  function csv(lines) {
    return lines.map((line) => line.map(csvField).join(",")).join("\r\n") + "\r\n";
  }

  // A text that a spreadsheet would take for a formula is kept from being one.
  function csvField(value) {
    if (value === null) return "";
    if (typeof value === "number") return String(value);
    if (Array.isArray(value)) return csvField(value.join(" | "));
    const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  }

  return { sortTable, download, dress, ColumnTable, element };
})();
