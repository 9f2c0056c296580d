// What ties the Train and Watch tabs to the live elements: whose run is shown where, and what the data look like.

import { feed } from "./feed.js";
import "./live.js";
import { language, word, wordOr } from "./language.js";
import { asked, onTab, openTab, remember, shownTab, whenPresent } from "./main.js";

const BASE = new URL("../", import.meta.url); // .../studio/
const press = (id) => document.getElementById(id)?.click();

let fresh = ""; // a run just started here: Watch shows it next
let started = ""; // the run that tried a remedy last
let timing = 0;

const MINUTE = 60_000;
const FORM = "studio-train-form"; // what this tab of the browser keeps of the form

function kept() {
  try { return sessionStorage.getItem(FORM) ?? ""; } catch { return ""; }
}

let recalled = !kept(); // until then the form shows what a new visitor gets, which is nothing to keep or to describe

Object.assign(window.studio, {
  trainShow(id) {
    feed("train").show(id);
  },
  trainDescribe() {
    press("train-describe");
  },
  /** While these settings are being timed, ask again soon. */
  trainTiming() {
    clearTimeout(timing);
    timing = setTimeout(() => document.querySelector("#train-hint [data-timing]") && press("train-describe"), 700);
  },
  /** The form holds these values: one each for `names`. */
  trainKeep(names, values) {
    if (!recalled) return;
    const text = JSON.stringify(Object.fromEntries(names.map((name, i) => [name, values[i]])));
    try { sessionStorage.setItem(FORM, text); } catch { /* then it is forgotten, as before */ }
  },
  trainKept: kept,
  trainRecalled() {
    recalled = true;
    press("train-describe");
  },
  trainStarted(id) {
    if (!id) return;
    fresh = id;
    feed("train").show(id);
    const live = document.getElementById("train-live");
    if (live && live.getBoundingClientRect().top > window.innerHeight * 0.7) live.scrollIntoView({ behavior: "smooth" });
  },
  /** A run that tries a remedy: it is the visitor's own from now on, and shown here. */
  watchStarted(id) {
    if (!id || id === started) return; // the one before, where this one was refused
    started = fresh = id;
    feed("train").show(id);
    press("watch-sync");
  },
  watchShow(id) {
    feed("watch").show(id ?? "");
    if (id) remember({ run: id });
  },
  /** The newest run, or none at all: then one sentence says so in place of empty frames. */
  watchFound(id) {
    document.getElementById("watch-panel")?.toggleAttribute("data-no-run", !id);
  },
  /** "the run wished for|the visitor's own", for the handler that lists the runs. */
  watchWish() {
    const wish = fresh || feed("watch").run || asked().run || "";
    fresh = "";
    return `${wish}|${feed("train").run}`;
  },
});

/** Run `fn(data)` when the state of a view's run, or whether it can be explored, changes. */
function onChange(view, fn) {
  let last = "";
  feed(view).watchers.add((data) => {
    const now = data ? `${data.run} ${data.state} ${data.explorable}` : "";
    if (now !== last && data) fn(data);
    last = now;
  });
}

onChange("train", () => press("train-sync"));
onChange("watch", () => press("watch-sync")); // the run's own line in the list, and whether it can be explored
setInterval(() => shownTab() === "watch" && !document.hidden && press("watch-sync"), MINUTE); // "5 min ago"
document.addEventListener("focusin", (event) => {
  if (event.target.closest?.("#watch-run")) press("watch-sync"); // other runs have moved on, too
});

/** Press a hidden button of a tab each time the tab is opened; Gradio makes it only when it is, the first time. */
function whenOpened(tab, button, needed = () => true) {
  const act = () => shownTab() === tab && needed() && press(button);
  onTab((id) => id === tab && act());
  whenPresent(`#${button}`, () => setTimeout(act, 100));
}

whenPresent("#train-recall", () => setTimeout(() => recalled || press("train-recall"), 100));
whenOpened("watch", "watch-sync");
whenOpened("train", "train-describe", () => recalled && !document.querySelector("#train-hint p"));

document.addEventListener("click", (event) => {
  if (!event.target.closest?.("#train-watch")) return;
  fresh = feed("train").run;
  openTab("watch");
});

/**
 * <dataset-preview name="mnist" here="yes">: 64 real pictures and what there is to know about them. Gradio keeps the
 * element and changes its attributes when another set is chosen.
 */
class DatasetPreview extends HTMLElement {
  static observedAttributes = ["name", "here"];

  attributeChangedCallback() {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.fill(), 0); // after Gradio has done with the children
  }

  async fill() {
    const name = this.getAttribute("name");
    const image = Object.assign(document.createElement("img"), { alt: "" });
    const text = Object.assign(document.createElement("div"), { className: "preview-text" });
    text.textContent = word("train.preview.wait");
    this.replaceChildren(image, text);
    let about;
    try {
      const answer = await fetch(new URL(`data?name=${encodeURIComponent(name)}`, BASE));
      about = await answer.json();
    } catch {
      about = { error: word("train.preview.away") };
    }
    if (name !== this.getAttribute("name")) return; // another one was chosen meanwhile
    if (about.error) {
      text.textContent = word("train.preview.gone", { message: about.error });
      return;
    }
    image.hidden = !about.here;
    if (about.here) {
      image.alt = word("train.preview", about);
      image.src = new URL(`preview?name=${encodeURIComponent(name)}`, BASE);
    }
    text.replaceChildren(...this.sentences(about));
  }

  sentences(about) {
    const lines = [about.here ? facts(about) : word("train.needs_download", about)];
    lines.push(word("train.licence", about));
    return lines.map((line) => Object.assign(document.createElement("p"), { textContent: line }));
  }
}

function facts(about) {
  const classes = about.classes.map((name) => wordOr(`class.${name}`, name));
  const names = classes.join(language === "zh" ? "、" : ", ");
  const values = { ...about, count: about.count.toLocaleString(), classes: about.classes.length, names };
  if (about.kind === "points") return word("train.facts.points", values);
  return word(about.classes.length ? "train.facts" : "train.facts.plain", values);
}

customElements.define("dataset-preview", DatasetPreview);
