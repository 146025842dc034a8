// What stands where a conversation has not begun: a welcome and questions to begin with, or those of the persona.
import { biggerModel } from "./bigger_model.js";
import { el, mark, t } from "./dom.js";
import * as personas from "./personas.js";

const ordinary = () => [t("suggestion_savanna"), t("suggestion_mathematics"), t("suggestion_who"), t("suggestion_falconry")];

/** `suggest(text)` is called with a question that is pressed. */
export function firstScreen(suggest) {
  const title = el("h1", { dir: "auto" });
  const line = el("p", { className: "f-muted", dir: "auto" });
  const chips = el("div", { className: "f-chips" });
  const show = () => {
    const persona = personas.current();
    title.textContent = persona?.name ?? t("welcome");
    line.textContent = persona ? (persona.description ?? "") : t("welcome_more");
    const texts = persona?.starters?.length ? persona.starters : ordinary();
    chips.replaceChildren(...texts.map((text) => el("button", { type: "button", className: "f-chip", dir: "auto", onclick: () => suggest(text) }, text)));
  };
  personas.onChoice(show);
  show();
  return el("section", { className: "f-empty" }, mark(), title, line, chips, biggerModel());
}
