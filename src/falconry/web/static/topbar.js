// The button that opens and closes the left side.
import { button, t } from "./dom.js";
import { isOpen, toggle } from "./sidebar.js";

export function mount(element) {
  const menu = button(t("menu"), "menu", () => toggle());
  menu.id = "menu";
  const tell = () => menu.setAttribute("aria-expanded", isOpen());
  new MutationObserver(tell).observe(document.documentElement, { attributeFilter: ["data-side", "data-drawer"] });
  tell();
  element.replaceChildren(menu);
}
