// What is on this machine: the models that can be chosen, adapters under their base, and folded what cannot be used.
import { post, send } from "./api.js";
import { button, dialog, el, icon, notice, t } from "./dom.js";
import { arrange, attempt } from "./forms.js";
import * as data from "./models_data.js";
import { ModelRow } from "./models_row.js";

const MANY = 12; // models, from which on a box to look for one is worth its place

const isHere = (model) => model.source !== "endpoint";

export class Here {
  constructor(admin, catalog) {
    this.admin = admin;
    this.room = null; // bytes of memory that this machine has
    this.rows = new Map(); // by name, so that what has the focus stays
    this.list = el("ul", { className: "f-models", aria: { label: t("models_here") } });
    this.filter = el("input", { type: "search", placeholder: t("models_filter"), aria: { label: t("models_filter") }, oninput: () => this.show(), maxLength: 200 });
    this.box = el("label", { className: "f-find", hidden: true }, icon("search"), this.filter);
    this.none = el("p", { className: "f-muted", hidden: true });
    this.broken = el("ul", { className: "f-broken" });
    this.brokenTitle = el("summary", {});
    this.fold = el("details", { className: "f-fold", hidden: true }, this.brokenTitle, this.broken);
    this.element = el("div", { className: "f-stack" }, this.box, this.list, this.none, this.fold);
    this.models = [];
    this.files = [];
    this.fileOf = new Map();
    data.models.onChange((models) => {
      this.models = models.filter(isHere);
      this.show();
    });
    data.files.onChange((files) => {
      this.files = files;
      this.fileOf = new Map(files.map((file) => [modelOf(file), file]));
      this.show();
    });
    catalog.onChange(({ machine }) => {
      if (this.room === machine.total_memory) return;
      this.room = machine.total_memory;
      this.show();
    });
  }

  /** What can be chosen: all but those whose file is broken. One that failed to load may be tried again. */
  get usable() {
    const broken = new Set(this.files.filter((file) => file.problem).map(modelOf));
    return this.models.filter((model) => !broken.has(model.name));
  }

  show() {
    const { usable } = this;
    const words = this.filter.value.trim().toLowerCase().split(/\s+/);
    const matches = ({ name, title, quantization, source }) => {
      const text = [name, title, quantization, source].join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    };
    const shown = usable.filter(matches);
    this.box.hidden = usable.length < MANY;
    this.none.hidden = shown.length > 0;
    this.none.textContent = this.models.length ? t("models_filter_none") : t("models_none");
    this.place(this.list, under(shown));
    for (const [name, row] of this.rows) if (!this.list.contains(row.element)) this.rows.delete(name);
    this.showBroken();
    this.onCount?.(usable.length);
  }

  /** Puts the rows of models and of the adapters below them into a list; what is in its place already stays there. */
  place(list, branches) {
    const wanted = branches.map(({ model, adapters }) => {
      const row = this.row(model);
      if (adapters.length) {
        row.adapters ??= el("ul", { className: "f-models f-adapters", aria: { label: t("adapters_of", { name: model.title }) } });
        this.place(row.adapters, adapters.map((adapter) => ({ model: adapter, adapters: [] })));
        if (!row.adapters.isConnected) row.element.append(row.adapters);
      } else {
        row.adapters?.remove();
      }
      return row.element;
    });
    arrange(list, wanted);
  }

  row(model) {
    const file = this.fileOf.get(model.name);
    const known = this.rows.get(model.name);
    if (known) {
      known.update(model, file, this.room);
      return known;
    }
    const ask = async (what) => {
      try {
        await post(`/api/models/${what}`, { model: model.name });
      } catch (error) {
        made.refuse(error.message); // with the numbers, where it does not fit
      }
      await data.models.refresh();
    };
    const own = { unload: () => ask("unload"), remove: (present) => this.askRemove(present) };
    const made = new ModelRow({ load: () => ask("load"), ...(this.admin ? own : {}) });
    made.update(model, file, this.room);
    this.rows.set(model.name, made);
    return made;
  }

  showBroken() {
    const all = this.files.filter((file) => file.problem);
    const drawn = JSON.stringify(all);
    if (drawn === this.drawn) return;
    this.drawn = drawn;
    this.fold.hidden = !all.length;
    this.brokenTitle.textContent = t("models_broken", { count: all.length });
    this.broken.replaceChildren(...all.map((file) => this.brokenRow(file)));
  }

  brokenRow(file) {
    const where = file.path ? el("code", { className: "f-path" }, file.path) : null;
    const remove = this.admin && file.removable ? button(t("here_delete"), "trash", () => this.askRemove(file)) : null;
    remove?.setAttribute("aria-label", `${t("here_delete")}: ${file.name}`);
    return el("li", {}, el("div", {}, el("bdi", {}, file.title ?? file.name), el("p", {}, file.problem.text ?? file.problem.message), where), remove);
  }

  askRemove(file) {
    const press = el("button", { type: "button", className: "f-press f-danger" }, t("here_delete"));
    const box = dialog(t("here_delete_title", { name: file.title ?? file.name }), el("p", {}, t("here_delete_more")), el("div", { className: "f-end" }, press));
    press.onclick = async () => {
      press.disabled = true;
      const done = await attempt(() => send("DELETE", "/api/models/files", { name: file.name }).then(() => true));
      box.close();
      if (!done) return;
      notice(t("here_deleted", { name: file.title ?? file.name }));
      await Promise.all([data.models.refresh(), data.files.refresh()]);
    };
  }
}

/** The name under which a file can be chosen. */
const modelOf = (file) => file.model ?? file.name;

/** Models, each with the adapters that stand on it; an adapter whose base is not shown stands by itself. */
function under(models) {
  const branches = new Map(models.map((model) => [model.name, { model, adapters: [] }]));
  for (const branch of branches.values()) {
    const base = branch.model.base === branch.model.name ? undefined : branches.get(branch.model.base);
    if (!base) continue;
    base.adapters.push(branch.model);
    branch.below = true;
  }
  return [...branches.values()].filter((branch) => !branch.below);
}
