// Curves drawn as SVG: crisp on any screen, coloured by the theme, no library.
//
// A Board is the charts of one view; they share the zoom and the hair line, so that a spike in one curve
// is seen beside what happened in the others. Data only replaces `d` attributes: zoom, hidden curves and
// the read-out stay as the reader left them.

import { clamp, extent, nearest, number, ticks } from "./chart-math.js";

const SVG = "http://www.w3.org/2000/svg";
const PAD = { left: 46, right: 10, top: 8, bottom: 22 };

function make(name, attributes, parent) {
  const node = name === "svg" || parent?.namespaceURI === SVG
    ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  parent?.append(node);
  return node;
}

/** All charts of one view. `words(key, fallback)` gives titles and captions in the page's language. */
export class Board {
  constructor(root, words) {
    this.root = root;
    this.words = words;
    this.charts = new Map();
    this.zoom = null; // [x0, x1] or null for everything
    this.cursor = null; // x of the hair line
  }

  update(groups) {
    for (const group of groups) {
      if (!this.charts.has(group.group)) this.charts.set(group.group, new Chart(this, group.group));
      this.charts.get(group.group).update(group);
    }
    for (const [name, chart] of this.charts) {
      if (!groups.some((group) => group.group === name)) {
        chart.figure.remove();
        this.charts.delete(name);
      }
    }
  }

  clear() {
    this.root.replaceChildren();
    this.charts.clear();
    this.zoom = this.cursor = null;
  }

  setZoom(zoom) {
    this.zoom = zoom && zoom[1] > zoom[0] ? zoom : null;
    this.draw();
  }

  setCursor(x) {
    this.cursor = x;
    for (const chart of this.charts.values()) chart.drawCursor();
  }

  draw() {
    for (const chart of this.charts.values()) chart.draw();
  }
}

class Chart {
  constructor(board, name) {
    this.board = board;
    this.name = name;
    this.hidden = new Set();
    this.data = { curves: [], lines: [] };
    this.figure = make("figure", { class: "curves", "data-group": name }, board.root);
    const head = make("div", { class: "curves-head" }, this.figure);
    this.title = make("h4", { class: "curves-title" }, head);
    this.reset = make("button", { type: "button", class: "curves-reset" }, head);
    this.reset.addEventListener("click", () => board.setZoom(null));
    this.legend = make("div", { class: "curves-legend" }, this.figure);
    this.svg = make("svg", { role: "img", tabindex: "0" }, this.figure);
    this.grid = make("g", { class: "curves-grid" }, this.svg);
    this.lines = make("g", { class: "curves-lines" }, this.svg);
    this.paths = make("g", { class: "curves-paths" }, this.svg);
    this.labels = make("g", { class: "curves-lines" }, this.svg);
    this.band = make("rect", { class: "curves-band", visibility: "hidden" }, this.svg);
    this.hair = make("g", { class: "curves-hair", visibility: "hidden" }, this.svg);
    this.note = make("div", { class: "curves-note", hidden: "" }, this.figure);
    this.caption = make("figcaption", {}, this.figure);
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.svg);
  }

  update(data) {
    this.data = data;
    this.draw();
  }

  /** A curve's name in the reader's language, where there is a word for it. */
  say(name) {
    return this.board.words(`watch.curve.${name}`, name);
  }

  get shown() {
    return this.data.curves.filter((curve) => !this.hidden.has(curve.name));
  }

  draw() {
    const { width, height } = this.svg.getBoundingClientRect();
    if (width < 40) return; // not on screen: drawn when it is
    const last = Math.max(1, ...this.data.curves.map((curve) => curve.x.at(-1) ?? 0));
    const first = Math.min(last - 1, ...this.data.curves.map((curve) => curve.x[0] ?? 0));
    const [x0, x1] = this.board.zoom ?? [first, last];
    const [y0, y1] = extent(this.shown, x0, x1);
    this.box = { width, height, x0, x1, y0, y1 };
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.drawWords();
    this.drawGrid();
    this.drawCurves();
    this.drawCursor();
  }

  px(x) {
    const { width, x0, x1 } = this.box;
    return PAD.left + ((x - x0) / (x1 - x0)) * (width - PAD.left - PAD.right);
  }

  py(y) {
    const { height, y0, y1 } = this.box;
    return height - PAD.bottom - ((y - y0) / (y1 - y0)) * (height - PAD.top - PAD.bottom);
  }

  /** The resting lines in sight, of curves that are not hidden. */
  get restingLines() {
    const { y0, y1 } = this.box;
    return (this.data.lines ?? []).filter(({ name, value }) => value >= y0 && value <= y1 && !this.hidden.has(name));
  }

  drawWords() {
    const { words } = this.board;
    const title = words(`watch.group.${this.name}`, this.name);
    this.title.textContent = title;
    const caption = [words(`watch.caption.${this.name}`, words("watch.caption", ""))];
    if (this.restingLines.length) caption.push(words("watch.lines", ""));
    this.caption.textContent = caption.join(" ");
    this.reset.textContent = words("watch.zoom.reset", "");
    this.reset.hidden = this.board.zoom === null;
    const latest = this.data.curves.map((curve) => `${this.say(curve.name)} ${number(curve.y.at(-1))}`);
    this.svg.setAttribute("aria-label", `${title}: ${latest.join(", ")}`);
    const names = this.data.curves.map((curve) => curve.name).join("\n");
    if (this.legend.dataset.names !== names) this.buildLegend(names);
    this.data.curves.forEach((curve, i) => {
      this.legend.children[i].lastChild.textContent = number(curve.y.at(-1));
    });
  }

  buildLegend(names) {
    this.legend.dataset.names = names;
    this.legend.replaceChildren();
    this.data.curves.forEach((curve, i) => {
      const pressed = String(!this.hidden.has(curve.name));
      const key = make("button", { type: "button", class: `curve-${i % 6}`, "aria-pressed": pressed }, this.legend);
      make("i", {}, key);
      key.append(`${this.say(curve.name)} `);
      make("b", {}, key);
      key.addEventListener("click", () => {
        if (!this.hidden.delete(curve.name)) this.hidden.add(curve.name);
        key.setAttribute("aria-pressed", String(!this.hidden.has(curve.name)));
        this.draw();
      });
    });
  }

  drawGrid() {
    const { width, height, x0, x1, y0, y1 } = this.box;
    this.grid.replaceChildren();
    for (const y of ticks(y0, y1, height / 44)) {
      make("line", { x1: PAD.left, x2: width - PAD.right, y1: this.py(y), y2: this.py(y) }, this.grid);
      make("text", { x: PAD.left - 6, y: this.py(y) + 4, "text-anchor": "end" }, this.grid).textContent = number(y);
    }
    for (const x of ticks(x0, x1, width / 90)) {
      const at = { x: this.px(x), y: height - 6, "text-anchor": this.px(x) > width - 24 ? "end" : "middle" };
      make("text", at, this.grid).textContent = number(x);
    }
  }

  drawCurves() {
    const { width } = this.box;
    this.paths.replaceChildren();
    this.lines.replaceChildren();
    this.labels.replaceChildren();
    for (const { name, value } of this.restingLines) {
      const i = this.data.curves.findIndex((curve) => curve.name === name);
      const at = { x1: PAD.left, x2: width - PAD.right, y1: this.py(value), y2: this.py(value) };
      make("line", { ...at, class: `curve-${i % 6}` }, this.lines);
      const where = { x: width - PAD.right, y: this.py(value) - 4, "text-anchor": "end", class: `curve-${i % 6}` };
      const text = make("text", where, this.labels);
      text.textContent = this.board.words("watch.line", "{name}").replace("{name}", name);
    }
    this.data.curves.forEach((curve, i) => {
      if (this.hidden.has(curve.name)) return;
      make("path", { d: this.trace(curve), class: `curve-${i % 6}` }, this.paths);
    });
  }

  /** The SVG path of a curve: broken where a value is missing, cut a little outside of the zoom. */
  trace({ x, y }) {
    const { width, x0, x1 } = this.box;
    const margin = ((x1 - x0) / width) * 40;
    let pen = "M";
    let out = "";
    for (let i = 0; i < x.length; i += 1) {
      if (y[i] === null) {
        pen = "M";
        continue;
      }
      if ((x[i + 1] ?? x[i]) < x0 - margin || (x[i - 1] ?? x[i]) > x1 + margin) continue;
      out += `${pen}${clamp(this.px(x[i]), PAD.left, width - PAD.right).toFixed(1)} ${this.py(y[i]).toFixed(1)}`;
      pen = "L";
    }
    return out.includes("L") || !out ? out : `${out}h1`; // a lone first point is a dot
  }

  drawCursor() {
    const at = this.board.cursor;
    const off = at === null || !this.box || at < this.box.x0 || at > this.box.x1 || !this.shown.length;
    this.hair.setAttribute("visibility", off ? "hidden" : "visible");
    this.note.hidden = off;
    if (off) return;
    const x = this.shown[0].x[nearest(this.shown[0].x, at)];
    const left = this.px(x);
    this.hair.replaceChildren();
    make("line", { x1: left, x2: left, y1: PAD.top, y2: this.box.height - PAD.bottom }, this.hair);
    this.note.replaceChildren(`${this.board.words("watch.axis.step", "step")} ${number(x)}`);
    this.data.curves.forEach((curve, i) => {
      if (this.hidden.has(curve.name)) return;
      const y = curve.y[nearest(curve.x, at)];
      if (y !== null) make("circle", { cx: left, cy: this.py(y), r: 3.5, class: `curve-${i % 6}` }, this.hair);
      make("span", { class: `curve-${i % 6}` }, this.note).textContent = `${this.say(curve.name)} ${number(y)}`;
    });
    this.note.classList.toggle("left", left > this.box.width / 2);
  }

  listen() {
    let start = null;
    const dataX = (event) => {
      const { left, width } = this.svg.getBoundingClientRect();
      const share = (event.clientX - left - PAD.left) / (width - PAD.left - PAD.right);
      return this.box.x0 + clamp(share, 0, 1) * (this.box.x1 - this.box.x0);
    };
    this.svg.addEventListener("pointerdown", (event) => {
      if (event.pointerType !== "mouse" || event.button !== 0) return;
      start = dataX(event);
      this.svg.setPointerCapture(event.pointerId);
    });
    this.svg.addEventListener("pointermove", (event) => {
      if (!this.box) return;
      this.board.setCursor(dataX(event));
      if (start !== null) this.showBand(start, dataX(event));
    });
    this.svg.addEventListener("pointerup", (event) => {
      if (start === null) return;
      const [a, b] = [start, dataX(event)].sort((p, q) => p - q);
      start = null;
      this.band.setAttribute("visibility", "hidden");
      if (this.px(b) - this.px(a) > 6) this.board.setZoom([a, b]);
    });
    this.svg.addEventListener("pointerleave", () => this.board.setCursor(null));
    this.svg.addEventListener("blur", () => this.board.setCursor(null));
    this.svg.addEventListener("dblclick", () => this.board.setZoom(null));
    this.svg.addEventListener("keydown", (event) => this.key(event));
  }

  showBand(a, b) {
    const [left, right] = [this.px(a), this.px(b)].sort((p, q) => p - q);
    const height = this.box.height - PAD.top - PAD.bottom;
    const place = { x: left, y: PAD.top, width: right - left, height, visibility: "visible" };
    for (const [key, value] of Object.entries(place)) this.band.setAttribute(key, value);
  }

  key(event) {
    const { x = [] } = this.shown[0] ?? {};
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") this.board.setZoom(null);
    if (!way || !x.length) return;
    event.preventDefault();
    const at = this.board.cursor === null ? x.length - 1 : nearest(x, this.board.cursor) + way;
    this.board.setCursor(x[clamp(at, 0, x.length - 1)]);
  }
}
