// The live parts of the page: progress, pictures and curves of one run, without flicker.
//
//   <live-status view="watch">   what is happening now, in words and numbers
//   <live-pictures view="watch"> the newest sample grid, a way back through all of them, real pictures
//
// All elements of a view share one Feed, which brings them the news of its run.

import { number } from "./chart-math.js";
import { feed } from "./feed.js";
import { word, wordOr } from "./language.js";

const BASE = new URL("../", import.meta.url); // .../studio/
const GAP = 24; // pixels between two pictures

export class LiveElement extends HTMLElement {
  connectedCallback() {
    this.feed = feed(this.getAttribute("view"));
    this.feed.add(this);
  }

  disconnectedCallback() {
    this.feed.elements.delete(this);
  }

  /** Back to how it looks before anything is known of the run. */
  reset() {}

  /** The run is no longer there. */
  gone() {}

  /** The server does not answer: what stands here is the last that was heard. */
  away() {}

  /** Show `data`, an answer of /studio/live. */
  render() {}
}

/** A new element `name.class` under `parent`. */
export function put(parent, tag, attributes = {}, text = "") {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  parent.append(node);
  return node;
}

/** Seconds as a person says them. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const whole = Math.round(seconds); // once, before it is split: 119.6 s are 2:00 min
  if (whole < 60) return word("live.time.seconds", { n: whole });
  const minutes = Math.floor(whole / 60);
  const rest = String(whole % 60).padStart(2, "0");
  if (minutes < 60) return word("live.time.minutes", { n: minutes, rest });
  return word("live.time.hours", { n: Math.floor(minutes / 60), rest: String(minutes % 60).padStart(2, "0") });
}

class LiveStatus extends LiveElement {
  reset() {
    this.replaceChildren();
    this.dataset.state = "none";
    this.seen = "[]";
    this.say = put(this, "p", { class: "live-say", role: "status" }, word(`${this.getAttribute("view")}.nothing`));
    this.sees = put(this, "p", { class: "live-sees" }); // no status: it changes every second
    this.bar = put(this, "div", { class: "live-bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100 });
    this.bar.setAttribute("aria-label", word("live.progress"));
    this.fill = put(this.bar, "i");
    this.shares = put(this, "figure", { class: "live-shares" });
    this.shares.hidden = true;
    this.sharesTitle = put(this.shares, "figcaption");
    this.classes = put(this.shares, "div", { class: "live-classes", role: "img" });
    this.facts = put(this, "dl", { class: "live-facts" });
    this.values = {};
    for (const fact of ["elapsed", "remaining", "speed", "step"]) {
      const cell = put(this.facts, "div", { class: `live-${fact}` });
      put(cell, "dt", {}, word(`live.${fact}`));
      this.values[fact] = put(cell, "dd", {}, "–");
    }
  }

  gone() {
    this.say.textContent = word("live.gone");
  }

  away() {
    this.dataset.state = "away";
    this.say.textContent = word("live.away");
    this.feed.rev = 0; // the next answer brings everything again
  }

  render(data) {
    this.dataset.state = data.state;
    const share = data.progress ?? 0;
    this.fill.style.width = `${share * 100}%`;
    this.bar.setAttribute("aria-valuenow", Math.round(share * 100));
    this.values.elapsed.textContent = duration(data.seconds);
    this.values.remaining.textContent = duration(data.remaining);
    this.values.speed.textContent = data.speed ? number(data.speed) : "–";
    this.values.step.textContent = data.step.toLocaleString();
    const sentence = word(`live.say.${data.say}`, { ahead: data.ahead, message: data.message });
    if (this.say.textContent !== sentence) this.say.textContent = sentence;
    const { sees } = data;
    this.sees.textContent = sees
      ? word("live.sees", { step: sees.step.toLocaleString(), what: word(`live.sees.${sees.key}`, sees) }) : "";
    this.sharesTitle.textContent = word(sees?.key === "points" ? "live.classes.points" : "live.classes");
    this.showClasses(sees?.shares ?? [], sees?.names ?? []);
  }

  /** A bar for each class: as high as the others where all are drawn equally often. */
  showClasses(shares, names) {
    const seen = JSON.stringify(shares);
    if (seen === this.seen) return;
    this.seen = seen;
    this.shares.hidden = shares.length === 0;
    this.classes.replaceChildren();
    const told = shares.map((share, i) => {
      const name = wordOr(`class.${names[i]}`, names[i] ?? String(i));
      const words = word("live.class", { name, percent: Math.round(100 * share) });
      const bar = put(this.classes, "div", { class: share ? "live-class" : "live-class none", title: words });
      put(put(bar, "div"), "i").style.height = `${Math.min(100, 50 * share * shares.length)}%`;
      put(bar, "span", {}, shares.length > 12 ? "" : name);
      return words;
    });
    this.classes.setAttribute("aria-label", told.join(", "));
  }
}

class LivePictures extends LiveElement {
  reset() {
    this.replaceChildren();
    this.steps = [];
    this.rewinds = 0;
    this.wanted = undefined;
    this.following = true;
    this.stop();
    const pair = put(this, "div", { class: "live-pair" });
    this.drawn = this.figure(pair, "live.grid");
    this.real = this.hasAttribute("real") ? this.figure(pair, "live.real") : null;
    this.buildScrubber();
    this.observer ??= new ResizeObserver(() => this.fit());
    this.observer.observe(pair);
  }

  figure(parent, key) {
    const figure = put(parent, "figure", { class: "live-picture empty" });
    const image = put(figure, "img", { alt: word(key), draggable: "false" });
    const caption = put(figure, "figcaption", {}, word(key));
    return { figure, image, caption };
  }

  buildScrubber() {
    this.scrub = put(this, "div", { class: "live-scrub" });
    this.scrub.hidden = true;
    this.play = put(this.scrub, "button", { type: "button", "aria-label": word("live.replay") }, "▶");
    this.range = put(this.scrub, "input", { type: "range", min: 0, max: 0, value: 0, "aria-label": word("live.scrub") });
    this.play.addEventListener("click", () => (this.playing ? this.stop() : this.replay()));
    this.range.addEventListener("input", () => {
      this.stop();
      this.following = Number(this.range.value) === this.steps.length - 1;
      this.draw(this.steps[this.range.value]);
    });
  }

  render(data) {
    if (this.real && data.real && this.real.run !== data.run) {
      this.real.run = data.run;
      this.load(this.real, new URL(`real?run=${data.run}`, BASE));
    }
    const wentBack = data.rewinds !== this.rewinds; // then a grid of the same step is another picture
    const grew = data.samples.length !== this.steps.length || data.samples.at(-1) !== this.steps.at(-1);
    if (!grew && !wentBack) return;
    this.steps = data.samples;
    this.rewinds = data.rewinds;
    this.scrub.hidden = this.steps.length < 2;
    this.range.max = this.steps.length - 1;
    if (wentBack && !this.steps.includes(this.wanted)) this.following = true;
    if (!this.following && wentBack) this.draw(this.wanted);
    if (!this.following || !this.steps.length) return;
    this.range.value = this.steps.length - 1;
    this.draw(this.steps.at(-1));
  }

  draw(step) {
    this.wanted = step;
    this.range.setAttribute("aria-valuetext", word("live.at_step", { step }));
    const query = new URLSearchParams({ run: this.feed.run, step, v: this.rewinds });
    return this.load(this.drawn, new URL(`sample?${query}`, BASE), () => {
      this.drawn.caption.textContent = word("live.grid_at", { step: step.toLocaleString() });
      this.drawn.image.alt = this.drawn.caption.textContent;
      this.dataset.step = step;
    }, () => this.wanted === step);
  }

  /** Show a picture once it is decoded, so that the old one stays until the new one is there. */
  async load(place, address, done = () => {}, current = () => true) {
    const next = new Image();
    next.src = address;
    try {
      await next.decode();
    } catch {
      return;
    }
    if (!current()) return;
    place.image.src = next.src;
    place.natural = next.naturalWidth;
    place.figure.classList.remove("empty");
    done();
    this.fit();
  }

  /** Enlarge by whole screen pixels, so that every pixel of the picture is a sharp square of the same size. */
  fit() {
    const ratio = window.devicePixelRatio || 1;
    const room = this.querySelector(".live-pair").clientWidth;
    for (const place of [this.drawn, this.real]) {
      if (!place?.natural || !room) continue;
      const beside = this.real && room >= (2 * place.natural) / ratio + GAP;
      const times = Math.floor(((beside ? (room - GAP) / 2 : room) * ratio) / place.natural);
      place.image.style.width = times >= 1 ? `${(times * place.natural) / ratio}px` : "100%";
    }
  }

  async replay() {
    this.playing = true;
    this.play.textContent = "❚❚";
    this.following = false;
    for (let i = 0; this.playing && i < this.steps.length; i += 1) {
      this.range.value = i;
      await Promise.all([this.draw(this.steps[i]), new Promise((done) => setTimeout(done, 120))]);
    }
    this.following = this.playing || this.following;
    this.stop();
  }

  stop() {
    this.playing = false;
    if (this.play) this.play.textContent = "▶";
  }
}

customElements.define("live-status", LiveStatus);
customElements.define("live-pictures", LivePictures);
