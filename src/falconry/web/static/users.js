// The users, as an admin sees them: add, change the role, set another password, remove.
import { get, post, send } from "./api.js";
import { button, dialog, el, notice, t } from "./dom.js";
import { attempt, choice, code, day, field, form, section, table } from "./forms.js";

const ROLES = () => [["user", t("role_user")], ["admin", t("role_admin")]];
const LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"; // none that looks like another

/** A password to hand over: four groups of four, 79 bits. */
function suggestion() {
  const random = crypto.getRandomValues(new Uint32Array(16));
  return [...random].map((value, index) => (index && index % 4 === 0 ? "-" : "") + LETTERS[value % LETTERS.length]).join("");
}

export class Users {
  constructor() {
    this.list = el("div");
    this.intro = el("p", { className: "f-muted" });
    const name = field(t("user_name"), { autocomplete: "off", maxLength: 64, autocapitalize: "none", spellcheck: false });
    const password = field(t("password"), { autocomplete: "off", minLength: 8, value: suggestion(), spellcheck: false });
    const role = choice(t("role"), ROLES());
    const made = form([el("div", { className: "f-pair" }, name.element, password.element, role.element)], t("user_add"), async () => {
      const first = !this.users.length;
      await post("/api/admin/users", { name: name.input.value, password: password.input.value, role: role.input.value });
      this.hand_over(name.input.value, password.input.value, first);
      name.input.value = "";
      password.input.value = suggestion();
      if (!first) await this.refresh();
    });
    this.element = section(t("users"), this.intro, this.list, made);
  }

  async refresh() {
    const [{ users }, me] = await Promise.all([get("/api/admin/users"), get("/api/me")]);
    this.users = users;
    this.me = me;
    this.intro.textContent = t(users.length ? "users_more" : "users_none");
    const columns = [t("user_name"), t("role"), t("user_since"), ""];
    this.list.replaceChildren(...(users.length ? [table(columns, users.map((user) => this.row(user)), t("users"))] : []));
  }

  row(user) {
    const role = choice(t("role"), ROLES(), { value: user.role }).input;
    role.value = user.role;
    role.setAttribute("aria-label", `${t("role")}: ${user.name}`);
    role.onchange = () => attempt(() => send("PATCH", `/api/admin/users/${user.id}`, { role: role.value })).finally(() => this.refresh());
    const reset = button(t("password_reset"), null, () => this.ask_password(user), { label: true });
    const remove = button(t("user_remove"), null, () => this.ask_remove(user), { label: true, className: "f-danger" });
    reset.setAttribute("aria-label", `${t("password_reset")}: ${user.name}`);
    remove.setAttribute("aria-label", `${t("user_remove")}: ${user.name}`);
    const name = el("b", {}, user.id === this.me.id ? t("user_you", { name: user.name }) : user.name);
    return [name, role, day(user.created_at), el("span", { className: "f-acts" }, reset, remove)];
  }

  /** What the new user needs to know, for the admin to pass on. After the first one everybody has to log in. */
  hand_over(name, password, first) {
    const box = dialog(t("user_added", { name }), el("p", {}, t("user_added_more")), code(`${location.origin}\n${name}\n${password}`));
    if (first) box.addEventListener("close", () => location.assign("/login?next=/admin"));
  }

  ask_password(user) {
    const password = field(t("password_new"), { autocomplete: "off", minLength: 8, value: suggestion(), spellcheck: false });
    const box = dialog(t("password_reset_title", { name: user.name }), el("p", {}, t("password_reset_more")), form([password.element], t("password_reset"), async () => {
      await send("PATCH", `/api/admin/users/${user.id}`, { password: password.input.value });
      box.close();
      this.hand_over(user.name, password.input.value, false);
    }));
  }

  async ask_remove(user) {
    const found = await attempt(() => get(`/api/admin/users/${user.id}/conversations`));
    if (!found) return;
    const others = this.users.filter((other) => other.id !== user.id);
    const heir = choice(t("user_conversations", { count: found.count }), [["", t("conversations_removed")], ...others.map((other) => [other.id, t("conversations_to", { name: other.name })])]);
    const last = others.length === 0;
    const parts = found.count && !last ? [heir.element] : [];
    const box = dialog(t("user_remove_title", { name: user.name }), el("p", {}, t(last ? "user_remove_last" : "user_remove_more")), form(parts, t("user_remove"), async () => {
      await send("DELETE", `/api/admin/users/${user.id}${heir.input.value ? `?heir=${heir.input.value}` : ""}`);
      box.close();
      notice(t("user_removed", { name: user.name }));
      if (last) location.assign("/");
      else await this.refresh();
    }, { danger: true }));
  }
}
