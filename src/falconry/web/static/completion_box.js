// The completion: exactly the text that came, blanks and line ends included.
import { button, copy, el, t } from "./dom.js";

const text = el("pre", { className: "f-completion", role: "group", tabIndex: 0 });
const facts = el("span", { className: "f-muted" });

export const clear = () => { text.textContent = ""; facts.textContent = ""; };
export const append = (more) => text.append(more);
export const say = (line) => { facts.textContent = line; };

export function mount(element) {
  const copying = button(t("copy"), "copy", () => copy(text.textContent, copying));
  const label = el("h2", { id: "completion-label" }, t("completion"));
  text.setAttribute("aria-labelledby", label.id);
  element.replaceChildren(el("div", { className: "f-row" }, label, copying), text, facts);
}
