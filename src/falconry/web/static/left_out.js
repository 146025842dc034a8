// What the model no longer sees of a conversation: a line in the flow where it begins to read, and which messages.
import { get } from "./api.js";
import { button, dialog, el, icon, t } from "./dom.js";

const PAGE = 50;

/** The turns between two places of the log that were not sent, by the rule of the server: questions without an answer. */
export function unsent(turns) {
  return turns.filter(({ message }, index) => {
    if (message.role === "assistant") return message.status !== "running" && !message.text;
    const answer = turns[index + 1]?.message;
    return answer && answer.status !== "running" && !answer.text;
  });
}

export class LeftOut {
  /** `which()` opens the list. */
  constructor(which) {
    this.text = el("span");
    this.which = button(t("left_out_which"), null, which, { label: true });
    this.element = el("div", { className: "f-left-out", role: "note", hidden: true }, icon("eye"), this.text, this.which);
  }

  /** Tells that so many messages stand above, before the element; with 0 nothing. */
  place(count, before) {
    const hidden = !count || !before;
    if (this.element.hidden !== hidden) this.element.hidden = hidden;
    if (hidden) return;
    const text = t("left_out_above", { count });
    if (this.text.textContent !== text) this.text.textContent = text;
    if (before.previousElementSibling !== this.element) before.before(this.element);
  }
}

/** The dialog: all messages that the newest reply's model did not see. `jump(id)` goes to one of them. */
export async function showLeftOut({ conversation, start, count, later, jump }) {
  const list = el("ol", { className: "f-left-out-list", reversed: true });
  const more = button(t("earlier"), null, () => load(), { label: true, className: "f-solid" });
  const note = el("p", { className: "f-muted" }, t("left_out_why", { count }));
  const shown = dialog(t("left_out_title"), note, list, more);
  const entry = ({ id, role, text }) => {
    const line = el("button", { type: "button", onclick: () => { shown.close(); jump(id); } },
      el("span", {}, el("b", {}, t(role === "user" ? "you" : "assistant")), " ", el("bdi", {}, text.slice(0, 200).trim() || t("ended_empty"))));
    return el("li", {}, line);
  };
  // Newest first: what has just fallen out is what somebody looks for.
  list.append(...later.toReversed().map(entry));
  let before = start;
  async function load() {
    more.hidden = true;
    if (!before) return;
    try {
      const { messages } = await get(`/api/conversations/${conversation}?before=${before}&limit=${PAGE}`);
      list.append(...messages.filter(({ role }) => role !== "system").toReversed().map(({ id, role, content }) => entry({ id, role, text: content })));
      before = messages[0]?.parent_id ? messages[0].id : null;
      more.hidden = !before;
    } catch (error) {
      list.append(el("li", { className: "f-warning" }, error.message));
    }
  }
  await load();
}
