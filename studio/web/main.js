// What the whole page shares: words in HTML, language and colours, the open tab in the address.
import { language, translate, word } from "./language.js";

const seen = new WeakMap();
const waiting = [];

/** Run `fn(element)` once for each element that matches `selector`, now or whenever Gradio adds it. */
export function whenPresent(selector, fn) {
  waiting.push([selector, fn]);
  meet(document.documentElement, selector, fn);
}

function meet(root, selector, fn) {
  const found = root.matches?.(selector) ? [root, ...root.querySelectorAll(selector)] : root.querySelectorAll(selector);
  for (const element of found) {
    const met = seen.get(element) ?? new Set();
    if (met.has(fn)) continue;
    seen.set(element, met.add(fn));
    fn(element);
  }
}

/**
 * Wrap `work(x)` so that it never runs twice at once: what is asked meanwhile waits, and of that only the
 * newest is done. However fast a slider moves, one request is on its way and the last position is shown.
 */
export function newest(work) {
  let busy = false;
  let next = null;
  return async (x) => {
    next = { x };
    if (busy) return;
    busy = true;
    try {
      while (next) {
        const { x: now } = next;
        next = null;
        await work(now);
      }
    } finally {
      busy = false;
    }
  };
}

/** Run `fn` once, `ms` after the last call. */
export function settled(fn, ms) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(() => fn(...args), ms);
  };
}

/** Merge `values` into the address; null, undefined and "" leave it. Links can be shared, reloads lose nothing. */
export function remember(values) {
  const query = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(values)) {
    if (value === null || value === undefined || value === "") query.delete(key);
    else query.set(key, value);
  }
  const text = query.toString();
  history.replaceState(null, "", (text ? `?${text}` : location.pathname) + location.hash);
}

/** The values in the address. */
export const asked = () => Object.fromEntries(new URLSearchParams(location.search));

/** Open the tab with this id (explore, train, watch). */
export function openTab(id) {
  document.getElementById(`tab-${id}-button`)?.click();
}

/** The id of the tab that is open. */
export function shownTab() {
  return document.querySelector('[role="tab"][aria-selected="true"]')?.id.replace(/^tab-(.*)-button$/, "$1") ?? "";
}

const tabListeners = new Set();

/** Run `fn(id)` each time a tab is opened. */
export function onTab(fn) {
  tabListeners.add(fn);
}

function store(key, value) {
  try { localStorage.setItem(key, value); return true; } catch { return false; }
}

function switchLanguage() {
  const other = language === "zh" ? "en" : "zh";
  document.dispatchEvent(new Event("studio:leaving"));  // each tab writes what it shows into the address
  remember({ lang: store("studio-language", other) ? null : other });
  location.reload();
}

const SUN = '<svg viewBox="0 0 24 24" aria-hidden="true"><circle cx="12" cy="12" r="4"/><path d="M12 3v2m0 14v2M3 12h2m14 0h2M5.6 5.6 7 7m10 10 1.4 1.4M18.4 5.6 17 7M7 17l-1.4 1.4"/></svg>';
const MOON = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M20 14.5A8 8 0 0 1 9.5 4 8 8 0 1 0 20 14.5z"/></svg>';

function switchTheme() {
  const theme = document.body.classList.contains("dark") ? "light" : "dark";
  document.body.classList.toggle("dark", theme === "dark");
  document.documentElement.dataset.theme = theme;
  store("studio-theme", theme);
  remember({ __theme: theme });  // Gradio reads its colours from here when the page is opened
  label();
}

/** What the two switches show: the other language by its own name, and the other colours. */
function label() {
  const dark = document.documentElement.dataset.theme === "dark";
  for (const button of document.querySelectorAll("[data-do=language]")) {
    button.textContent = language === "zh" ? "English" : "中文";
    button.lang = language === "zh" ? "en" : "zh-CN";
  }
  for (const button of document.querySelectorAll("[data-do=theme]")) {
    button.innerHTML = dark ? SUN : MOON;
    button.title = word(dark ? "shell.light" : "shell.dark");
    button.setAttribute("aria-label", button.title);
  }
}
whenPresent(".switches", label);

document.addEventListener("click", (event) => {
  const target = event.target.closest?.("[data-do]");
  if (target?.dataset.do === "language") switchLanguage();
  if (target?.dataset.do === "theme") switchTheme();
  if (target?.dataset.do === "tab") openTab(target.dataset.tab);
});

new MutationObserver((changes) => {
  for (const { addedNodes } of changes) {
    for (const node of addedNodes) {
      if (node.nodeType !== Node.ELEMENT_NODE) continue;
      translate(node);
      for (const [selector, fn] of waiting) meet(node, selector, fn);
    }
  }
}).observe(document.documentElement, { childList: true, subtree: true });

const wanted = asked().tab;
whenPresent('[role="tab"]', (button) => {
  const id = button.id.replace(/^tab-(.*)-button$/, "$1");
  if (id === wanted) setTimeout(() => button.click());
  new MutationObserver(() => {
    if (button.getAttribute("aria-selected") !== "true") return;
    remember({ tab: id === "explore" ? null : id });
    for (const fn of tabListeners) fn(id);
  }).observe(button, { attributes: true, attributeFilter: ["aria-selected"] });
});
translate(document.documentElement);
