// The left side's list as elements: pinned ones, folders, and groups by date, brought up to date without moving what
// need not move.
import { button, el, icon, t } from "./dom.js";
import { Row } from "./conversation_row.js";
import { folderList, setClosed, state } from "./conversation_store.js";
import { grouping } from "./date_groups.js";

const [HEAD, ROW] = [28, 36]; // px

/** Puts `wanted` into `parent` in this order. Elements that are in order already stay, with their focus. */
export function arrange(parent, wanted) {
  const keep = new Set(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  let at = parent.firstElementChild;
  for (const child of wanted) {
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
  }
}

class Section {
  constructor({ key, folder }) {
    this.rows = new Map();
    this.key = key;
    this.list = el("ul", { id: `f-list-${key}` });
    this.label = el("span", { className: "f-title", dir: "auto" });
    this.head = folder ? this.folderHead() : el("h2", { id: `f-head-${key}` }, this.label);
    this.element = el("div", { className: "f-group", role: "group", dataset: { key }, aria: { labelledby: `f-head-${key}` } }, this.head, this.list);
    this.element.section = this;
  }

  folderHead() {
    this.count = el("span", { className: "f-count", aria: { hidden: "true" } });
    this.toggle = el(
      "button", { type: "button", className: "f-folder", id: `f-head-${this.key}`, tabIndex: -1, aria: { controls: this.list.id } },
      icon("forward"), icon("folder"), this.label, this.count,
    );
    this.toggle.addEventListener("click", () => setClosed(this.folder.id, !state.closed.has(this.folder.id)));
    this.more = button("", "dots", null, { className: "f-row-menu" });
    this.more.tabIndex = -1;
    this.more.setAttribute("aria-haspopup", "menu");
    return el("h2", { className: "f-item" }, this.toggle, this.more);
  }

  update({ label, folder, items, next }, current) {
    if (this.label.textContent !== label) this.label.textContent = label;
    if (folder) this.updateFolder(folder);
    const wanted = items.map((conversation) => {
      const row = this.rows.get(conversation.id) ?? new Row();
      this.rows.set(conversation.id, row.update(conversation, current, Boolean(folder && conversation.pinned)));
      return row.element;
    });
    if (this.rows.size > items.length) {
      const ids = new Set(items.map(({ id }) => id));
      for (const id of this.rows.keys()) if (!ids.has(id)) this.rows.delete(id);
    }
    arrange(this.list, folder ? [...wanted, ...this.tail(items, next)] : wanted);
    // How high it is while nobody sees it, and it is not laid out.
    this.element.style.containIntrinsicHeight = `${HEAD + (this.list.hidden ? 0 : ROW * this.list.childElementCount)}px`;
    return this.element;
  }

  updateFolder(folder) {
    this.folder = folder;
    const closed = state.closed.has(folder.id);
    this.toggle.setAttribute("aria-expanded", String(!closed));
    this.toggle.title = folder.name;
    this.count.textContent = folder.count || "";
    this.list.hidden = closed;
    this.more.title = t("folder_menu", { name: folder.name });
    this.more.setAttribute("aria-label", this.more.title);
  }

  /** What a folder's list ends in: that it is empty, or a button for the rest. */
  tail(items, next) {
    if (next) {
      this.rest ??= el("li", { className: "f-item" }, el("button", { type: "button", className: "f-rest", tabIndex: -1 }, t("show_more")));
      return [this.rest];
    }
    if (items.length || next === undefined) return [];
    this.none ??= el("li", { className: "f-muted f-none" }, t("folder_empty"));
    return [this.none];
  }
}

/** What is shown, in order: `{key, label, items}`, of a folder also `folder` and `next`. */
export function groups(now = new Date()) {
  const folders = state.folders.map((folder) => {
    const { items, next } = state.closed.has(folder.id) ? { items: [], next: null } : folderList(folder.id);
    // Until its own list has come, what is known of it.
    const shown = next === undefined ? state.main.items.filter((conversation) => conversation.folder_id === folder.id) : items;
    return { key: `folder-${folder.id}`, label: folder.name, folder, items: shown, next };
  });
  const known = new Set(state.folders.map(({ id }) => id));
  const pinned = { key: "pinned", label: t("pinned"), items: [] };
  const dated = new Map();
  const group = grouping(now);
  for (const conversation of state.main.items) {
    if (conversation.pinned) pinned.items.push(conversation);
    else if (!known.has(conversation.folder_id)) {
      const { key, label } = group(conversation.updated_at);
      if (!dated.has(key)) dated.set(key, { key: `date-${key}`, label, items: [] });
      dated.get(key).items.push(conversation);
    }
  }
  return [...(pinned.items.length ? [pinned] : []), ...folders, ...dated.values()];
}

const sections = new Map();

/** Brings the sections in `parent` up to date; `last` comes after them. */
export function showSections(parent, current, last) {
  const wanted = groups();
  const elements = wanted.map((group) => {
    if (!sections.has(group.key)) sections.set(group.key, new Section(group));
    return sections.get(group.key).update(group, current);
  });
  const keys = new Set(wanted.map(({ key }) => key));
  for (const key of sections.keys()) if (!keys.has(key)) sections.delete(key);
  arrange(parent, [...elements, ...last]);
  return wanted.length;
}

export const rows = () => [...sections.values()].flatMap((section) => [...section.rows.values()]);
export const sectionOf = (key) => sections.get(key);
