// The step from the small model that comes along to a better one, for who may take it.
import { get } from "./api.js";
import { el, icon, t } from "./dom.js";
import * as models from "./models.js";

const BUILT_IN = "eyas";

/** A quiet line that is there as long as the built-in model is the chosen one. */
export function biggerModel() {
  const link = el("a", { href: "/models" }, el("span", {}, t("bigger_model_link")), icon("forward"));
  const line = el("p", { className: "f-bigger f-muted", hidden: true }, el("span", {}, t("bigger_model")), link);
  let role = null; // asked for once it matters
  const show = async (name) => {
    role ??= name === BUILT_IN ? get("/api/me").then((me) => me.role, () => { role = null; }) : null;
    line.hidden = name !== BUILT_IN || (await role) !== "admin" || models.current() !== BUILT_IN;
  };
  models.onChoice(show);
  show(models.current());
  return line;
}
