// The right side of the compare page's top bar: a new comparison, and the results.
import { el, icon, t } from "./dom.js";
import { open } from "./compare.js";

export function mount(element) {
  const link = (name, href, iconName, id) => {
    const made = el("a", { href, id, className: "f-button" }, icon(iconName), el("span", {}, name));
    made.onclick = (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
      event.preventDefault();
      open(href);
    };
    return made;
  };
  element.replaceChildren(el("div", { className: "f-compare-bar" },
    link(t("compare_new"), "/compare", "plus", "compare-new"), link(t("compare_results"), "/compare?results=1", "chart", "compare-results")));
}
