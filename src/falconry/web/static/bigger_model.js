// The step from the small model that comes along to a better one, for who may take it.
import { el, icon, store, t } from "./dom.js";
import * as models from "./models.js";

const BUILT_IN = "eyas";

/** A quiet line that is there as long as the built-in model is the chosen one. */
export function biggerModel() {
  const link = el("a", { href: "/models" }, el("span", {}, t("bigger_model_link")), icon("forward"));
  const line = el("p", { className: "f-bigger f-muted", hidden: true }, el("span", {}, t("bigger_model")), link);
  const admin = () => JSON.parse(store.get("me") ?? "{}").role === "admin"; // as the sidebar was told
  const show = (name) => { line.hidden = name !== BUILT_IN || !admin(); };
  models.onChoice(show);
  show(models.current());
  return line;
}
