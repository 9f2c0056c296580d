// Runs before anything is painted: the reader's language and colours, remembered or the system's.
(() => {
  const query = new URLSearchParams(location.search);
  const remembered = (key) => {
    try { return localStorage.getItem(key); } catch { return null; }
  };
  const wished = query.get("lang") || remembered("studio-language");
  const system = (navigator.languages?.[0] || navigator.language || "en").toLowerCase();
  const language = ["en", "zh"].includes(wished) ? wished : system.startsWith("zh") ? "zh" : "en";
  const locale = language === "zh" ? "zh-CN" : "en";
  // Gradio chooses its words by navigator.language alone
  Object.defineProperty(navigator, "language", { configurable: true, get: () => locale });
  Object.defineProperty(navigator, "languages", { configurable: true, get: () => [locale] });
  window.studioLanguage = language;
  document.documentElement.lang = locale;
  document.cookie = `studio-language=${language};path=/;max-age=31536000;SameSite=Lax`;

  const theme = remembered("studio-theme");
  if (theme && query.get("__theme") !== theme) {  // Gradio reads its colours from here
    query.set("__theme", theme);
    history.replaceState(null, "", `?${query}${location.hash}`);
  }
  const dark = query.get("__theme")
    ? query.get("__theme") === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";

  // Who this browser is, for the server to know whose run is whose (studio/owners.py): a random token, kept
  // here where it may be and else as long as the page, and sent to the own server alone. A foreign page can
  // add no such header.
  const made = () => [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16).padStart(2, "0"));
  const token = remembered("studio-owner") || made().join("");
  try { localStorage.setItem("studio-owner", token); } catch { /* the page is remembered until it is left */ }
  const ask = window.fetch;
  window.fetch = async (what, how) => {
    const request = new Request(what, how);
    if (new URL(request.url).origin === location.origin) request.headers.set("X-Studio-Owner", token);
    return ask(request);
  };

  window.studio = {};  // each tab's module puts its functions here for Gradio's events
})();
