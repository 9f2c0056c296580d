// Curves drawn as SVG: crisp on any screen, coloured by the theme, no library.
//
// A Board is the charts of one view; they share the zoom and the hair line, so that a spike in one curve
// is seen beside what happened in the others. Data only replaces `d` attributes: zoom, hidden curves and
// the read-out stay as the reader left them.

import { clamp, colour, extent, nearest, nearestWithin, number, span, ticks, tickWords, trace } from "./chart-math.js";

const SVG = "http://www.w3.org/2000/svg";
const PAD = { left: 46, right: 10, top: 8, bottom: 22 }; // the left is wider where a tick needs it
const LETTER = 7; // pixels

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
    this.range = span([]);
    this.zoom = null; // [x0, x1] or null for everything
    this.cursor = null; // x of the hair line
    this.mark = null; // {group, step}: where in which chart a trouble began
  }

  update(groups) {
    const steps = groups.flatMap(({ curves }) => curves.flatMap(({ x }) => (x.length ? [x[0], x.at(-1)] : [])));
    this.range = span(steps); // one for all charts, so that what happened at once stands one below the other
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

let clips = 0; // names of clip paths are the whole page's

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
    this.clip = make("rect", {}, make("clipPath", { id: `clip-${(clips += 1)}` }, this.svg));
    this.paths = make("g", { class: "curves-paths", "clip-path": `url(#clip-${clips})` }, this.svg);
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

  /** The class that colours a curve: one colour a player in every chart. */
  shade(name) {
    return `curve-${colour(name, this.data.curves.findIndex((curve) => curve.name === name))}`;
  }

  get shown() {
    return this.data.curves.filter((curve) => !this.hidden.has(curve.name));
  }

  draw() {
    const { width, height } = this.svg.getBoundingClientRect();
    if (width < 40) return; // not on screen: drawn when it is
    const [x0, x1] = this.board.zoom ?? this.board.range;
    const [y0, y1] = extent(this.shown, x0, x1);
    const ys = ticks(y0, y1, height / 44);
    const words = tickWords(ys);
    const left = Math.max(PAD.left, 10 + LETTER * Math.max(...words.map((text) => text.length)));
    this.box = { left, width, height, x0, x1, y0, y1, ys, words };
    const inside = { x: left, y: 0, width: Math.max(0, width - left - PAD.right), height };
    for (const [key, value] of Object.entries(inside)) this.clip.setAttribute(key, value);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.drawWords();
    this.drawGrid();
    this.drawCurves();
    this.drawCursor();
  }

  px(x) {
    const { left, width, x0, x1 } = this.box;
    return left + ((x - x0) / (x1 - x0)) * (width - left - PAD.right);
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
    if (this.restingLines.length) caption.push(words(`watch.lines.${this.name}`, ""));
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
    this.data.curves.forEach((curve) => {
      const pressed = String(!this.hidden.has(curve.name));
      const key = make("button", { type: "button", class: this.shade(curve.name), "aria-pressed": pressed }, this.legend);
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
    const { left, width, height, x0, x1, ys, words } = this.box;
    this.grid.replaceChildren();
    ys.forEach((y, i) => {
      make("line", { x1: left, x2: width - PAD.right, y1: this.py(y), y2: this.py(y) }, this.grid);
      make("text", { x: left - 6, y: this.py(y) + 4, "text-anchor": "end" }, this.grid).textContent = words[i];
    });
    const steps = ticks(x0, x1, width / 90).filter(Number.isInteger); // there is no half step
    const named = tickWords(steps);
    const axis = { x: left - 6, y: height - 6, "text-anchor": "end" };
    make("text", axis, this.grid).textContent = this.board.words("watch.axis.step", "step");
    steps.forEach((x, i) => {
      const at = { x: this.px(x), y: height - 6, "text-anchor": this.px(x) > width - 24 ? "end" : "middle" };
      make("text", at, this.grid).textContent = named[i];
    });
  }

  drawCurves() {
    const { left, width } = this.box;
    for (const layer of [this.paths, this.lines, this.labels]) layer.replaceChildren();
    const { group, step } = this.board.mark ?? {};
    const from = group === this.name && step >= this.box.x0 && step <= this.box.x1 ? this.px(step) : null;
    if (from !== null) make("line", { x1: from, x2: from, y1: PAD.top, y2: this.box.height - PAD.bottom, class: "curves-mark" }, this.lines);
    for (const { name, value } of this.restingLines) {
      const at = { x1: left, x2: width - PAD.right, y1: this.py(value), y2: this.py(value) };
      make("line", { ...at, class: this.shade(name) }, this.lines);
      const above = this.py(value) > PAD.top + 12;
      const where = { x: width - PAD.right, y: this.py(value) + (above ? -4 : 14), "text-anchor": "end" };
      const text = make("text", { ...where, class: this.shade(name) }, this.labels);
      text.textContent = this.board.words(`watch.line.${this.name}`, "{name}").replace("{name}", name);
    }
    for (const curve of this.shown) this.drawCurve(curve);
  }

  drawCurve(curve) {
    const { width, x0, x1 } = this.box;
    const look = { class: this.shade(curve.name) };
    const { line, dots } = trace(curve, [x0, x1], ((x1 - x0) / width) * 40, (x, y) => [this.px(x), this.py(y)]);
    make("path", { d: line, ...look }, this.paths);
    const seen = dots.filter(([x]) => x >= this.px(x0) - 0.1 && x <= this.px(x1) + 0.1); // whole ones: they are not clipped
    for (const [cx, cy] of seen) make("circle", { cx, cy, r: 3.5, ...look }, this.labels);
  }

  drawCursor() {
    const at = this.board.cursor;
    const { x0, x1 } = this.box ?? {};
    const off = at === null || !this.box || at < x0 || at > x1 || !this.shown.length;
    const x = off ? undefined : this.shown[0].x[nearestWithin(this.shown[0].x, at, x0, x1)];
    this.hair.setAttribute("visibility", x === undefined ? "hidden" : "visible");
    this.note.hidden = x === undefined;
    if (x === undefined) return;
    const left = this.px(x);
    this.hair.replaceChildren();
    make("line", { x1: left, x2: left, y1: PAD.top, y2: this.box.height - PAD.bottom }, this.hair);
    this.note.replaceChildren(`${this.board.words("watch.axis.step", "step")} ${number(x)}`);
    for (const curve of this.shown) {
      const y = curve.y[nearest(curve.x, x)];
      if (y !== null) make("circle", { cx: left, cy: this.py(y), r: 3.5, class: this.shade(curve.name) }, this.hair);
      make("span", { class: this.shade(curve.name) }, this.note).textContent = `${this.say(curve.name)} ${number(y)}`;
    }
    this.note.classList.toggle("left", left > this.box.width / 2);
  }

  listen() {
    let start = null;
    const dataX = (event) => {
      const { left, width } = this.svg.getBoundingClientRect();
      const share = (event.clientX - left - this.box.left) / (width - this.box.left - PAD.right);
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
