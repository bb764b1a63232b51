// The heat map: a matrix on a canvas, which zooms and pans by wheel, pinch, drag, buttons and keys.
"use strict";

const HeatMap = (() => {
  const FONT = "11px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace";
  const MARGIN = 84; // room for labels, at the left and above
  const LARGEST = 48; // a cell's size that is not zoomed, in pixels
  const READABLE = 48; // a cell's size that the deepest zoom gives at least
  const LINE = 14; // what a label needs
  const OPACITY = [0.08, 0.18, 0.29, 0.41, 0.55, 0.85, 1];
  const COLORS = ["surface", "line", "shade", "on-shade", "ink", "muted", "warn"];
  const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  class Picture {
    // Tells by events what was asked for: `pick` a cell, `language` a label, `look` at a cell or a
    // label, `moved` to another part.
    constructor(canvas) {
      this.canvas = canvas;
      this.context = canvas.getContext("2d");
      this.cursor = { row: 0, column: 0 };
      this.transform = d3.zoomIdentity;
      this.zoom = d3.zoom()
        .filter((event) => this.isMeant(event))
        .on("zoom", ({ transform }) => this.moved(transform))
        .on("end", ({ sourceEvent }) => sourceEvent && this.tellMoved());
      this.selection = d3.select(canvas).call(this.zoom);
      canvas.addEventListener("pointermove", (event) => this.tell("look", this.hit(event)));
      canvas.addEventListener("click", (event) => this.clicked(this.hit(event)));
      canvas.addEventListener("keydown", (event) => this.pressed(event));
      for (const name of ["focus", "blur"]) canvas.addEventListener(name, () => this.paint());
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
        this.show(this.matrix, this.width, this.place));
    }

    // Whoever scrolls the page past the picture, by wheel or by finger, does not zoom it.
    isMeant(event) {
      if (event.type === "wheel") return event.ctrlKey || document.activeElement === this.canvas;
      if (event.type === "touchstart") return this.transform.k > 1 || event.touches.length > 1;
      return !event.button;
    }

    moved(transform) {
      this.transform = transform;
      this.canvas.style.touchAction = transform.k > 1 ? "none" : "pan-x pan-y";
      this.paint();
    }

    tell(name, detail) {
      this.canvas.dispatchEvent(new CustomEvent(name, { detail }));
    }

    tellMoved() {
      this.tell("moved", this.place);
    }

    // ------------------------------------------------------- sizes

    // Draws a matrix within a width; `place` as the property of that name gives it.
    show(matrix, width, place) {
      Object.assign(this, { matrix, width });
      const count = Math.max(matrix.labels.length, 1);
      const room = Math.min(width - MARGIN, Math.max(window.innerHeight - 220, 320));
      this.side = Math.max(120, Math.min(room, LARGEST * count));
      this.cell = this.side / count;
      const whole = this.side + MARGIN;
      const ratio = window.devicePixelRatio || 1;
      Object.assign(this.canvas, { width: whole * ratio, height: whole * ratio });
      Object.assign(this.canvas.style, { width: `${whole}px`, height: `${whole}px` });
      this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
      const style = getComputedStyle(this.canvas);
      this.colors = Object.fromEntries(COLORS.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
      const edges = [[MARGIN, MARGIN], [whole, whole]];
      this.zoom.extent(edges).translateExtent(edges)
        .scaleExtent([1, Math.max(1, READABLE / this.cell)]);
      this.cursor = { row: Math.min(this.cursor.row, count - 1), column: Math.min(this.cursor.column, count - 1) };
      this.goTo(place);
    }

    // "3.5,0,40": the row and the column at the upper left, and how many languages are seen;
    // empty where all are.
    get place() {
      const { x, y, k } = this.transform;
      if (k === 1) return "";
      const first = (offset) => ((MARGIN - offset) / k - MARGIN) / this.cell;
      return [first(y), first(x), this.matrix.labels.length / k].map((value) => Number(value.toFixed(2))).join();
    }

    goTo(place) {
      const [row, column, count] = (place || "").split(",").map(Number);
      const deepest = this.zoom.scaleExtent()[1];
      const k = Math.min(Math.max(this.matrix.labels.length / count || 1, 1), deepest);
      const offset = (first) => MARGIN - k * (MARGIN + this.cell * (k === 1 ? 0 : first || 0));
      this.move(d3.zoomIdentity.translate(offset(column), offset(row)).scale(k));
    }

    // The picture stays within its edges.
    move(transform) {
      const edges = this.zoom.extent()();
      this.zoom.transform(this.selection, this.zoom.constrain()(transform, edges, edges));
    }

    get size() {
      return this.cell * this.transform.k;
    }

    left(column) {
      return this.transform.applyX(MARGIN + column * this.cell);
    }

    top(row) {
      return this.transform.applyY(MARGIN + row * this.cell);
    }

    // The cell at a point, a language where it is at a label; nothing beside both.
    hit(event) {
      const [x, y] = d3.pointer(event, this.canvas);
      const [column, row] = [this.transform.invertX(x), this.transform.invertY(y)]
        .map((value) => Math.floor((value - MARGIN) / this.cell));
      const there = (place) => place >= 0 && place < this.matrix.labels.length;
      if (x < MARGIN && y < MARGIN) return null;
      if (x < MARGIN) return there(row) ? { language: row } : null;
      if (y < MARGIN) return there(column) ? { language: column } : null;
      return there(row) && there(column) ? { row, column } : null;
    }

    // ---------------------------------------------------- controls

    clicked(found) {
      if (!found) return;
      if (found.language !== undefined) {
        this.tell("language", this.matrix.labels[found.language]);
        return;
      }
      this.cursor = found;
      this.paint();
      this.pick();
    }

    pick() {
      const cell = this.matrix.at(this.cursor.row, this.cursor.column);
      if (cell) this.tell("pick", cell.pair);
    }

    // Nearer by a factor; about the middle of what is seen, or of the cell where the keys are.
    zoomBy(factor, { atCursor = false } = {}) {
      const { row, column } = this.cursor;
      const middle = MARGIN + this.side / 2;
      const point = atCursor ? [this.left(column + 0.5), this.top(row + 0.5)] : [middle, middle];
      this.zoom.scaleBy(this.selection, factor, point);
      if (atCursor) this.reveal();
      this.tellMoved();
    }

    showAll() {
      this.goTo("");
      this.tellMoved();
    }

    pressed(event) {
      const { key } = event;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (MOVES[key]) this.step(...MOVES[key]);
      else if (key === "+" || key === "=") this.zoomBy(1.5, { atCursor: true });
      else if (key === "-") this.zoomBy(1 / 1.5, { atCursor: true });
      else if (key === "0" || key === "Home") this.showAll();
      else if (key === "Enter" || key === " ") this.pick();
      else return;
      event.preventDefault();
    }

    step(down, right) {
      const last = this.matrix.labels.length - 1;
      const within = (value) => Math.max(0, Math.min(last, value));
      this.cursor = { row: within(this.cursor.row + down), column: within(this.cursor.column + right) };
      this.reveal();
      this.paint();
      this.tellMoved();
      this.tell("look", this.cursor);
    }

    // Pans until the cell with the cursor is seen.
    reveal() {
      const end = MARGIN + this.side - this.size;
      const excess = (at) => Math.min(0, end - at) || Math.max(0, MARGIN - at);
      const [dx, dy] = [excess(this.left(this.cursor.column)), excess(this.top(this.cursor.row))];
      const { x, y, k } = this.transform;
      if (dx || dy) this.move(d3.zoomIdentity.translate(x + dx, y + dy).scale(k));
    }

    // ----------------------------------------------------- picture

    paint() {
      const { context, side } = this;
      context.clearRect(0, 0, side + MARGIN, side + MARGIN);
      context.font = FONT;
      context.textBaseline = "middle";
      context.save();
      context.beginPath();
      context.rect(MARGIN, MARGIN, side, side);
      context.clip();
      this.paintGround();
      this.paintCells();
      this.paintBlocks();
      this.paintCursor();
      context.restore();
      this.paintLabels();
    }

    // Languages from and to, of which some part is seen.
    get seen() {
      const first = (offset) => Math.floor(((MARGIN - offset) / this.transform.k - MARGIN) / this.cell);
      const [top, left] = [first(this.transform.y), first(this.transform.x)];
      const more = Math.ceil(this.side / this.size) + 1;
      const last = this.matrix.labels.length;
      return { top: Math.max(0, top), bottom: Math.min(last, top + more), left: Math.max(0, left), right: Math.min(last, left + more) };
    }

    paintGround() {
      const { context, size } = this;
      const { top, bottom, left, right } = this.seen;
      context.fillStyle = this.colors.surface;
      context.fillRect(MARGIN, MARGIN, this.side, this.side);
      context.fillStyle = this.colors.line;
      for (let each = Math.max(top, left); each < Math.min(bottom, right); each += 1)
        context.fillRect(this.left(each), this.top(each), size, size);
      if (size < 8) return;
      for (let each = top; each <= bottom; each += 1) context.fillRect(MARGIN, Math.round(this.top(each)), this.side, 1);
      for (let each = left; each <= right; each += 1) context.fillRect(Math.round(this.left(each)), MARGIN, 1, this.side);
    }

    paintCells() {
      const { context, size } = this;
      const { top, bottom, left, right } = this.seen;
      const gap = size < 8 ? 0 : 1;
      const drawn = Math.max(size - gap, 1.5); // what is smaller than a pixel is seen nevertheless
      const least = size < 4 ? 0.3 : 0;
      const inside = this.matrix.cells.filter(({ row, column }) =>
        row >= top && row < bottom && column >= left && column < right);
      context.fillStyle = this.colors.shade;
      for (const { row, column, shade } of inside) {
        context.globalAlpha = Math.max(OPACITY[shade], least);
        context.fillRect(this.left(column) + gap, this.top(row) + gap, drawn, drawn);
      }
      context.globalAlpha = 1;
      if (size < 40) return;
      context.textAlign = "center";
      for (const { row, column, shade, value } of inside) {
        context.fillStyle = this.colors[shade > 4 ? "on-shade" : "ink"];
        context.fillText(Format.compact(value), this.left(column) + size / 2, this.top(row) + size / 2, size - 4);
      }
    }

    paintBlocks() {
      this.context.fillStyle = this.colors.muted;
      for (const { start } of this.matrix.blocks.slice(1)) {
        this.context.fillRect(this.left(start) - 0.5, MARGIN, 1, this.side);
        this.context.fillRect(MARGIN, this.top(start) - 0.5, this.side, 1);
      }
    }

    paintCursor() {
      if (document.activeElement !== this.canvas) return;
      const { context, cursor } = this;
      const size = Math.max(this.size, 5);
      context.strokeStyle = this.colors.warn;
      context.lineWidth = 2;
      context.strokeRect(this.left(cursor.column) + (this.size - size) / 2, this.top(cursor.row) + (this.size - size) / 2, size, size);
    }

    // Labels where there is room for all, for each so many, or of blocks alone.
    names() {
      const { labels, blocks } = this.matrix;
      if (this.size < LINE && blocks.length)
        return blocks.filter(({ count }) => count * this.size >= LINE)
          .map(({ script, start, count }) => ({ text: script, at: start + count / 2 }));
      const step = Math.max(1, Math.ceil(LINE / this.size));
      return d3.range(0, labels.length, step).map((place) => ({ text: labels[place], at: place + 0.5 }));
    }

    paintLabels() {
      const { context } = this;
      const edge = Math.min(5, this.size / 2);
      const inside = (at) => at >= MARGIN + edge && at <= MARGIN + this.side - edge;
      context.fillStyle = this.colors.ink;
      for (const { text, at } of this.names()) {
        const [y, x] = [this.top(at), this.left(at)];
        context.textAlign = "end";
        if (inside(y)) context.fillText(text, MARGIN - 6, y, MARGIN - 8);
        if (!inside(x)) continue;
        context.save();
        context.translate(x, MARGIN - 6);
        context.rotate(-Math.PI / 2);
        context.textAlign = "start";
        context.fillText(text, 0, 0, MARGIN - 8);
        context.restore();
      }
    }
  }

  return Picture;
})();
