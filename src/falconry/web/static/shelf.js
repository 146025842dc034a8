// A dialog with a list of things that have names: to look through, make, change, copy and delete. Personas and prompts.
import { announce, button, dialog, el, t } from "./dom.js";
import { form } from "./forms.js";

/** A labelled text of several lines; `more` are properties of the input. */
export function area(label, more = {}) {
  const input = el("textarea", { rows: 4, ...more });
  return { input, element: el("label", { className: "f-field" }, el("span", {}, label), input) };
}

/**
 * Opens the dialog.
 *
 * `list()` gives the entries: {id, name, handle, shipped}. `describe(entry)` is the line under a name. `editor(entry)`
 * gives {parts, values()}; `save(id, values)`, with null for a new one, and `remove(id)` may throw, and the error is
 * shown. `use(entry)` is called when one is chosen. `extra(entry)` are further buttons of a row, `tools(again)` further
 * ones of the dialog. `names` are those of the buttons. With `fresh` it opens with a new one like this.
 */
export async function openShelf(shelf) {
  const box = el("div", { className: "f-shelf" });
  const made = dialog(shelf.title, box);
  made.classList.add("f-library");
  const open = { shelf, box, close: () => made.close() };
  if (shelf.fresh) edit(open, shelf.fresh, null);
  else await showList(open);
  return made;
}

async function showList(open, focus = null) {
  const { shelf, box } = open;
  const again = (said) => showList(open).then(() => said && announce(said));
  let entries;
  try {
    entries = await shelf.list();
  } catch (error) {
    box.replaceChildren(el("p", { className: "f-wrong", role: "alert" }, error.message));
    return;
  }
  const fresh = button(shelf.names.fresh, "plus", () => edit(open, {}, null), { label: true, className: "f-solid" });
  const own = entries.filter(({ shipped }) => !shipped);
  const shipped = entries.filter((entry) => entry.shipped);
  const rows = (some) => el("ul", { className: "f-entries", role: "list" }, ...some.map((entry) => row(open, entry)));
  box.replaceChildren(
    el("p", { className: "f-muted" }, shelf.intro),
    el("div", { className: "f-tools" }, fresh, ...(shelf.tools?.(again, own) ?? [])),
    ...(own.length ? [el("h3", {}, t("shelf_own")), rows(own)] : []),
    el("h3", {}, t("shelf_shipped")),
    rows(shipped),
  );
  (focus ? box.querySelector(`[data-id="${focus}"] button`) : fresh)?.focus();
}

function row(open, entry) {
  const { shelf } = open;
  const name = el("b", { dir: "auto" }, entry.name);
  const handle = el("span", { className: "f-handle" }, shelf.sign + entry.handle);
  const line = el("span", { className: "f-line", dir: "auto" }, shelf.describe(entry));
  const words = [el("span", { className: "f-head" }, name, handle), line];
  const what = shelf.use
    ? el("button", { type: "button", className: "f-what", onclick: () => { shelf.use(entry); open.close(); } }, ...words)
    : el("div", { className: "f-what" }, ...words);
  const made = el("li", { dataset: { id: entry.id } }, what);
  const named = (text) => `${text}: ${entry.name}`;
  const acts = el("div", { className: "f-acts" }, ...(shelf.extra?.(entry) ?? []));
  acts.append(button(named(shelf.names.copy), "copy", () => edit(open, { ...entry, name: t("copy_of", { name: entry.name }) }, null)));
  if (!entry.shipped) {
    acts.append(
      button(named(shelf.names.edit), "edit", () => edit(open, entry, entry.id)),
      button(named(shelf.names.remove), "trash", () => ask(open, made, entry)),
    );
  }
  made.append(acts);
  return made;
}

/** Deleting asks once, in the row's own place. */
function ask(open, made, entry) {
  const before = [...made.childNodes];
  const wrong = el("p", { className: "f-wrong", role: "alert", hidden: true });
  const keep = button(t("cancel"), null, () => { made.replaceChildren(...before); before[0].focus?.(); }, { label: true });
  const gone = button(t("delete"), "trash", async () => {
    try {
      await open.shelf.remove(entry.id);
      await showList(open);
      announce(t("deleted_named", { name: entry.name }));
    } catch (error) {
      wrong.textContent = error.message;
      wrong.hidden = false;
    }
  }, { label: true, className: "f-solid f-danger" });
  made.replaceChildren(el("span", { className: "f-what", dir: "auto" }, t("delete_named", { name: entry.name })), el("div", { className: "f-acts" }, keep, gone), wrong);
  keep.focus();
}

function edit(open, entry, id) {
  const { shelf, box } = open;
  const { parts, values } = shelf.editor(entry);
  const made = form(parts, t("save"), async () => {
    const saved = await shelf.save(id, values());
    await showList(open, saved.id);
    announce(t("saved_named", { name: saved.name }));
  });
  const back = button(t("back"), "back", () => showList(open, id), { label: true });
  box.replaceChildren(el("div", { className: "f-tools" }, back), el("h3", {}, id ? shelf.names.edit : shelf.names.fresh), made);
  made.querySelector("input")?.focus();
}
