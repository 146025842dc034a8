// A conversation that belongs to nobody: messages that can be changed, added and taken away.
import { button, el, t } from "./dom.js";

const ROLES = { system: "reads_role_system", user: "reads_role_user", assistant: "reads_role_assistant" };
const MOST = 40;

export class Example {
  constructor(changed) {
    this.changed = changed;
    this.rows = el("div", { className: "f-stack" });
    this.adding = button(t("reads_add"), "plus", () => this.add("", ""), { label: true });
    this.element = el("div", { className: "f-stack" }, this.rows, el("div", {}, this.adding));
    this.fill([["system", t("reads_example_system")], ["user", t("reads_example_first")], ["assistant", t("reads_example_reply")], ["user", t("reads_example_second")]]);
  }

  fill(messages) {
    this.rows.replaceChildren(...messages.map(([role, content]) => this.row(role, content)));
    this.number();
  }

  add() {
    const last = this.messages().at(-1)?.role;
    const row = this.row(last === "user" ? "assistant" : "user", "");
    this.rows.append(row);
    this.number();
    row.querySelector("textarea").focus();
    this.changed();
  }

  row(role, content) {
    const choice = el("select", { onchange: () => this.changed() }, ...Object.entries(ROLES).map(([name, text]) => el("option", { value: name, selected: name === role }, t(text))));
    const text = el("textarea", { rows: 1, value: content, maxLength: 20000, dir: "auto", oninput: () => this.changed() });
    const removing = button(t("reads_remove"), "close", () => {
      const next = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      this.number();
      (next?.querySelector("textarea") ?? this.adding).focus();
      this.changed();
    });
    const row = el("div", { className: "f-prompt-row", role: "group" }, choice, text, removing);
    return row;
  }

  /** Whoever hears the page is told which message a field belongs to. */
  number() {
    [...this.rows.children].forEach((row, index) => {
      row.setAttribute("aria-label", t("reads_message", { number: index + 1 }));
      row.querySelector("select").setAttribute("aria-label", t("reads_role"));
      row.querySelector("textarea").setAttribute("aria-label", t("reads_content"));
    });
    this.adding.hidden = this.rows.children.length >= MOST;
  }

  messages() {
    return [...this.rows.children].map((row) => ({ role: row.querySelector("select").value, content: row.querySelector("textarea").value }));
  }
}
