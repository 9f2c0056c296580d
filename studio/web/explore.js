// Explore: asks the server for pictures as the visitor moves, and draws them.
import { EACH, LAST_SEED, STEPS, address, isSeed, state, write, writeSoon } from "./explore-state.js";
import { language, word, wordOr } from "./language.js";
import { newest, onTab, settled, whenPresent } from "./main.js";

const LOOK = 2000; // milliseconds between looks at a model in training

let models = [];
let model = null;
let turn = "a"; // which end the next picked sample becomes

// ---- asking

/** The answer to one address as a blob; a refusal is shown as the server's sentence. */
async function picture(kind) {
  if (!model) return null;
  try {
    const answer = await fetch(address(kind, model));
    if (answer.ok) {
      say("");
      return await answer.blob();
    }
    say((await answer.json().catch(() => ({}))).error ?? word("explore.lost"));
  } catch {
    say(word("explore.lost"));
  }
  return null;
}

function say(sentence) {
  const note = document.querySelector("#explore-image .note");
  if (note && note.textContent !== sentence) note.textContent = sentence;
}

// ---- drawing

const drawImage = newest(async () => {
  const blob = await picture("image");
  const image = document.querySelector("#explore-image img");
  if (!blob || !image) return;
  const old = image.src;
  image.src = URL.createObjectURL(blob);
  image.alt = word("explore.picture", { percent: Math.round(state.t * 100) });
  await image.decode().catch(() => {});
  if (old.startsWith("blob:")) URL.revokeObjectURL(old);
});

const drawStrip = newest(() => drawSheet("strip", "#explore-strip", model?.strip, 1));
const drawGrid = newest(() => drawSheet("grid", "#explore-grid", model?.columns, model?.rows));

/** Ask for a sheet of columns x rows pictures and paint each on its own button's canvas. */
async function drawSheet(kind, place, columns, rows) {
  const blob = await picture(kind);
  const root = document.querySelector(place);
  if (!blob || !root) return;
  const sheet = await createImageBitmap(blob);
  const [w, h] = [sheet.width / columns, sheet.height / rows];
  const canvases = cells(root, kind, columns, rows);
  canvases.forEach((canvas, i) => {
    if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
    const [x, y] = [(i % columns) * w, Math.floor(i / columns) * h];
    canvas.getContext("2d").drawImage(sheet, x, y, w, h, 0, 0, w, h);
  });
  sheet.close();
  root.dataset.seed = state.seed;
  mark();
}

function cells(root, kind, columns, rows) {
  let box = root.querySelector(".cells");
  if (!box || box.children.length !== columns * rows) {
    box?.remove();
    box = document.createElement("div");
    box.className = "cells";
    box.style.setProperty("--columns", columns);
    for (let i = 0; i < columns * rows; i += 1) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(document.createElement("canvas"));
      button.addEventListener("click", () => (kind === "grid" ? pick(i) : go(i / (columns - 1))));
      box.append(button);
    }
    root.append(box);
  }
  return [...box.querySelectorAll("canvas")];
}

/** Which samples are A and B, and which frame of the way is nearest. */
function mark() {
  document.querySelectorAll("#explore-grid .cells button").forEach((button, i) => {
    const end = i === state.a ? "a" : i === state.b ? "b" : "";
    button.dataset.end = end;
    button.setAttribute("aria-pressed", String(end !== ""));
    const name = className(i);
    const what = word(name ? "explore.cell.class" : "explore.cell", { n: i + 1, name });
    button.setAttribute("aria-label", end ? word(`explore.cell.${end}`, { what }) : what);
  });
  const frames = document.querySelectorAll("#explore-strip .cells button");
  const near = Math.round(state.t * (frames.length - 1));
  frames.forEach((button, i) => {
    button.toggleAttribute("data-here", i === near);
    const percent = Math.round((100 * i) / (frames.length - 1));
    button.setAttribute("aria-label", word("explore.frame", { percent }));
  });
}

function className(i) {
  if (!model?.classes.length) return "";
  const name = model.classes[state.label === EACH ? i % model.classes.length : Number(state.label)];
  return wordOr(`class.${name}`, name);
}

function caption() {
  const ends = [state.a, state.b].map((i) => className(i) || word("explore.cell", { n: i + 1 }));
  const named = ends[0] === ends[1] ? ends[0] : ends.join(" → ");
  const line = document.querySelector("#explore-image figcaption span");
  if (line) line.textContent = word("explore.caption", { ends: named, seed: state.seed });
  const save = document.querySelector("#explore-image a");
  if (save && model) save.href = address("image", model, { format: "png", scale: 16, save: "dcgan-studio" });
  const saveGrid = document.querySelector("#explore-grid-save a");
  if (saveGrid && model) saveGrid.href = address("grid", model, { format: "png", scale: 4, save: "dcgan-studio-samples" });
}

/** One sentence where the way that was asked for does not suit the model's noise. */
function astray() {
  const note = document.getElementById("explore-astray");
  const lost = model?.interpolation === "linear" && state.interpolation === "spherical";
  if (note) note.textContent = lost ? word("explore.interpolation.astray") : "";
}

function about() {
  const line = document.getElementById("explore-about");
  if (!line || !model) return;
  const figure = (n) => Number(n ?? 0).toLocaleString(language === "zh" ? "zh-CN" : "en");
  const { images, seconds, step } = model.about;
  const key = model.live ? "explore.about.live" : "explore.about";
  line.textContent = images ? word(key, { images: figure(images), seconds: figure(seconds), step: figure(step) }) : "";
}

/** One sentence where what was typed is no seed; an empty field is somebody about to type. */
function sayOfSeed(typed) {
  const note = document.getElementById("explore-seed-note");
  const odd = typed !== null && typed !== undefined && typed !== "" && !isSeed(typed);
  const values = { value: typed, last: LAST_SEED.toLocaleString(), seed: state.seed };
  if (note) note.textContent = odd ? word("explore.seed.odd", values) : "";
}

const drawStripSoon = settled(drawStrip, 120);

function draw(what = ["image", "strip", "grid"]) {
  if (what.includes("image")) drawImage();
  if (what.includes("strip")) drawStripSoon();
  if (what.includes("grid")) drawGrid();
  mark();
  caption();
  astray();
  writeSoon(models[0]?.name);
}

// ---- what the visitor does

/** A sample is picked: A, then B, then A again; what is picked is shown large. Both at once it cannot be. */
function pick(i) {
  if (turn === "b" && i === state.a) return go(0); // it is A still, and the next one becomes B
  if (turn === "a" && i === state.b) state.b = state.a;
  state[turn] = i;
  go(turn === "a" ? 0 : 1, ["strip"]);
  turn = turn === "a" ? "b" : "a";
}

/** Move the slider to `t`, as a hand would. */
function go(t, also = []) {
  state.t = t;
  const slider = document.querySelector('#interpolate-t input[type="range"]');
  if (slider) {
    slider.value = t;
    slider.dispatchEvent(new Event("input", { bubbles: true }));
  }
  draw(["image", ...also]);
}

/** An interpolation as chosen: "" while it is the model's own, so that another model shows its own. */
const ownOrNot = (interpolation) => (interpolation === model?.interpolation ? "" : interpolation);

window.studio.explore = {
  /** Gradio's inputs changed. */
  set([t, interpolation, seed, label, ...d]) {
    const old = { ...state };
    if (isSeed(seed)) state.seed = seed;
    if (seed !== old.seed) state.oddSeed = "";
    sayOfSeed(state.oddSeed || seed);
    Object.assign(state, { t, interpolation: ownOrNot(interpolation), label: label ?? EACH, d: d.map(Number) });
    const grid = old.seed !== state.seed || old.label !== state.label;
    const strip = grid || old.interpolation !== state.interpolation || String(old.d) !== String(state.d);
    draw(["image", ...(strip ? ["strip"] : []), ...(grid ? ["grid"] : [])]);
  },

  /** Other samples; their seed, for its input. */
  fresh() {
    Object.assign(state, { seed: Math.floor(Math.random() * 100_000), oddSeed: "" });
    sayOfSeed(state.seed);
    draw();
    return state.seed;
  },

  /** Back to the samples themselves; zeros, for the sliders. */
  reset() {
    state.d = Array(STEPS).fill(0);
    draw(["image", "strip"]);
    return [...state.d];
  },

  /** The dropdown shows another model, by the visitor's hand or by another tab's. */
  async show(name) {
    if (!name || name === state.model) return;
    state.d = Array(STEPS).fill(0);
    await take(name);
  },

  /** The chosen model and class, for the handler that lists the model's classes. */
  wish: () => `${state.model}|${state.label}`,

  /** What Gradio's inputs should show. */
  values: () => [state.model || null, state.t, state.interpolation || (model?.interpolation ?? "spherical"), state.seed, state.label, ...state.d],
};

async function take(name) {
  if (!models.some((m) => m.name === name)) await look();
  const found = models.find((m) => m.name === name) ?? models[0];
  if (!found) return;
  const places = found.columns * found.rows;
  Object.assign(state, { model: found.name, a: state.a % places, b: state.b % places });
  if (state.a === state.b) state.b = (state.a + 1) % places;
  if (!(Number(state.label) < found.classes.length)) state.label = EACH;
  model = found;
  state.interpolation = ownOrNot(state.interpolation);
  about();
  draw();
}

// ---- the list of models

async function look() {
  try {
    const answer = await fetch("studio/explore/models");
    if (answer.ok) models = await answer.json();
  } catch {
    say(word("explore.lost"));
  }
  showEmpty();
}

function showEmpty() {
  document.querySelector("#explore-empty .empty")?.toggleAttribute("hidden", models.length > 0);
  document.documentElement.toggleAttribute("data-no-model", models.length === 0);
}

/** See whether the list or the chosen model has changed; the pictures follow a model in training. */
async function refresh() {
  const known = models.map((m) => m.name + m.live).join();
  await look();
  if (known !== models.map((m) => m.name + m.live).join()) document.getElementById("explore-refresh")?.click();
  const now = models.find((m) => m.name === state.model);
  if (!now) return take(state.model);
  const changed = now.version !== model?.version;
  model = now;
  about();
  if (changed) draw();
}

setInterval(() => {
  const open = document.querySelector("#explore-image img")?.offsetParent;
  if (open && !document.hidden && (model?.live || !models.length)) refresh();
}, LOOK);
onTab((id) => id === "explore" && refresh());

// ---- the page

const FIGURE = `<figure><img alt="" class="pixelated" draggable="false"><figcaption class="quiet">
  <span></span><a download></a></figcaption></figure><p class="note" role="status"></p>`;

whenPresent("#explore-image", (root) => {
  root.insertAdjacentHTML("beforeend", FIGURE);
  root.querySelector("a").textContent = word("explore.save");
  draw(["image"]);
});
whenPresent("#explore-grid-save", (root) => {
  root.insertAdjacentHTML("beforeend", "<a class=\"quiet\" download></a>");
  root.querySelector("a").textContent = word("explore.save.grid");
  caption();
});
whenPresent("#explore-seed-note", () => sayOfSeed(state.oddSeed));
whenPresent("#explore-strip", drawStrip);
whenPresent("#explore-grid", drawGrid);
whenPresent("#explore-about", about);
whenPresent("#explore-astray", astray);
whenPresent("#explore-empty .empty", showEmpty);
whenPresent("#explore-refresh", (button) => setTimeout(() => button.click()));
document.addEventListener("studio:leaving", () => write(models[0]?.name));
take(state.model);
