// The reader's language, and the words of studio/text/*.json in it.
import TABLE from "./words.js";

export const language = window.studioLanguage === "zh" ? "zh" : "en";

/** The words of `key`, with {name} filled in from `values`. */
export function word(key, values = {}) {
  const row = TABLE[key];
  if (!row) throw new Error(`studio/text has no words for ${key}`);
  const text = row[language === "zh" ? 1 : 0];
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
}

/** The words of `key`, or `text` where the table has none: a new class or data set may have no row yet. */
export const wordOr = (key, text) => (key in TABLE ? word(key) : text);

/** Put the reader's words into every [data-word] at or under `root` (words.span writes them). */
export function translate(root) {
  const found = root.matches?.("[data-word]") ? [root] : [];
  for (const node of [...found, ...root.querySelectorAll("[data-word]")]) {
    const text = word(node.dataset.word);
    if (node.textContent !== text) node.textContent = text;
  }
}
