// Runs before anything else in the page: language, dark or light, and whether the sidebar is open.
(() => {
  const read = (key) => { try { return localStorage.getItem("falconry." + key); } catch { return null; } };
  const root = document.documentElement;

  const spoken = [...navigator.languages].map((tag) => tag.toLowerCase().split("-")[0]);
  const chosen = read("language");
  const language = ["en", "zh"].includes(chosen) ? chosen : spoken.find((tag) => tag === "zh" || tag === "en") || "FALLBACK";
  const locale = language === "zh" ? "zh-CN" : "en";
  root.dataset.language = language;
  root.lang = locale;
  // Gradio reads these once and knows only zh-CN and zh-TW.
  Object.defineProperty(navigator, "language", { get: () => locale });
  Object.defineProperty(navigator, "languages", { get: () => [locale] });

  // Gradio asks for the system's preference and listens for changes: it gets the person's choice where there is one.
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const ask = window.matchMedia.bind(window);
  const listeners = new Set();
  const dark = () => (read("theme") || (system.matches ? "dark" : "light")) === "dark";
  const answer = {
    media: system.media,
    get matches() { return dark(); },
    addEventListener: (_, listener) => listeners.add(listener),
    removeEventListener: (_, listener) => listeners.delete(listener),
  };
  window.matchMedia = (query) => (/prefers-color-scheme:\s*dark/.test(query) ? answer : ask(query));
  const apply = () => {
    root.dataset.theme = dark() ? "dark" : "light";
    listeners.forEach((listener) => listener(answer));
  };
  system.addEventListener("change", apply);
  window.addEventListener("falconry:theme", apply);
  apply();

  // On a narrow screen the sidebar is a drawer, which begins closed whatever this says.
  root.dataset.side = read("side") || "open";
})();
