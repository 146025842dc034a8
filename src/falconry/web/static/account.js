// Who I am, my password and keys, and how programs come in.
import { get, post, send } from "./api.js";
import { button, dialog, el, notice, t } from "./dom.js";
import { ago, attempt, choice, code, day, field, form, section, table } from "./forms.js";

// With the sentence of the form, and the word of the list.
const SCOPES = {
  inference: ["scope_inference", "scope_inference_short"],
  conversations: ["scope_conversations", "scope_conversations_short"],
  admin: ["scope_admin", "scope_admin_short"],
};
const ROLES = { user: "role_user_more", admin: "role_admin_more" };

function password_section() {
  const present = field(t("password_present"), { type: "password", autocomplete: "current-password" });
  const fresh = field(t("password_new"), { type: "password", autocomplete: "new-password", minLength: 8 });
  const again = field(t("password_again"), { type: "password", autocomplete: "new-password" });
  const made = form([present.element, fresh.element, again.element], t("password_change"), async () => {
    if (fresh.input.value !== again.input.value) throw new Error(t("passwords_differ"));
    await send("POST", "/api/me/password", { present: present.input.value, new: fresh.input.value });
    made.reset();
    notice(t("password_changed"));
  });
  return section(t("password"), el("p", { className: "f-muted" }, t("password_more")), made);
}

class Keys {
  constructor(me, onMade) {
    this.onMade = onMade;
    this.list = el("div");
    this.fresh = el("div", { role: "status" });
    const name = field(t("key_name"), { maxLength: 64, placeholder: t("key_name_example"), autocomplete: "off" });
    const days = choice(t("key_expires"), [["30", t("days", { count: 30 })], ["90", t("days", { count: 90 })], ["365", t("days", { count: 365 })], ["", t("never")]]);
    days.input.value = "90";
    const scopes = Object.keys(SCOPES).filter((scope) => me.scopes.includes(scope)).map((scope) => {
      const box = el("input", { type: "checkbox", value: scope, checked: scope === "inference" });
      return { box, element: el("label", { className: "f-check" }, box, el("span", {}, t(SCOPES[scope][0]))) };
    });
    const group = el("fieldset", { className: "f-checks" }, el("legend", {}, t("key_scopes")), ...scopes.map(({ element }) => element));
    const made = form([el("div", { className: "f-pair" }, name.element, days.element), group], t("key_make"), async () => {
      const chosen = scopes.filter(({ box }) => box.checked).map(({ box }) => box.value);
      if (!chosen.length) throw new Error(t("key_no_scope"));
      const key = await post("/api/me/keys", { name: name.input.value, scopes: chosen, days: Number(days.input.value) || null });
      name.input.value = "";
      this.reveal(key);
      await this.refresh();
    });
    this.element = section(t("keys"), el("p", { className: "f-muted" }, t("keys_more")), this.fresh, this.list, made);
  }

  /** A new key, shown this once. */
  reveal(key) {
    this.fresh.replaceChildren(el("div", { className: "f-fresh" }, el("p", {}, t("key_once", { name: key.name })), code(key.key, t("key_copy"))));
    this.onMade(key.key);
  }

  async refresh() {
    const { keys } = await get("/api/me/keys");
    if (!keys.length) return this.list.replaceChildren(el("p", { className: "f-muted" }, t("keys_none")));
    const columns = [t("key_name"), t("key"), t("key_scopes"), t("key_used"), t("key_expires"), ""];
    return this.list.replaceChildren(table(columns, keys.map((key) => this.row(key)), t("keys")));
  }

  row(key) {
    const over = key.expires_at && new Date(key.expires_at) < new Date();
    const ends = key.expires_at ? el("span", { className: over ? "f-warning" : "" }, over ? t("key_over") : day(key.expires_at)) : t("never");
    const revoke = button(t("key_revoke"), null, () => this.ask(key), { label: true, className: "f-danger" });
    revoke.setAttribute("aria-label", `${t("key_revoke")}: ${key.name}`);
    const scopes = key.scopes.map((scope) => t(SCOPES[scope][1])).join(t("comma"));
    return [el("b", {}, key.name), el("code", {}, key.prefix + "…"), scopes, key.last_used_at ? ago(key.last_used_at) : t("never_used"), ends, revoke];
  }

  ask(key) {
    const press = el("button", { type: "button", className: "f-press f-danger" }, t("key_revoke"));
    const box = dialog(t("key_revoke_title", { name: key.name }), el("p", {}, t("key_revoke_more")), el("div", { className: "f-end" }, press));
    press.onclick = () => attempt(async () => {
      await send("DELETE", `/api/me/keys/${key.id}`);
      box.close();
      await this.refresh();
    });
  }
}

function examples(login, model) {
  const base = location.origin;
  const makers = {
    openai: (key) => `from openai import OpenAI\n\nclient = OpenAI(base_url="${base}/v1", api_key="${key}")\nreply = client.chat.completions.create(\n    model="${model}",\n    messages=[{"role": "user", "content": "Which animals live on the savanna?"}],\n)\nprint(reply.choices[0].message.content)`,
    "text-generation": (key) => `from text_generation import Client\n\nclient = Client("${base}"${login ? `, headers={"Authorization": "Bearer ${key}"}` : ""})\nfor piece in client.generate_stream("A falcon is", max_new_tokens=40):\n    print(piece.token.text, end="")`,
    curl: (key) => `curl ${base}/v1/chat/completions \\\n${login ? `  -H "Authorization: Bearer ${key}" \\\n` : ""}  -H "Content-Type: application/json" \\\n  -d '{"model": "${model}", "messages": [{"role": "user", "content": "Hello"}]}'`,
  };
  let key = login ? "fk-…" : "none";
  let chosen = "openai";
  const shown = el("div", { role: "tabpanel", id: "example" });
  const tabs = Object.keys(makers).map((name) => el("button", { type: "button", className: "f-tab", role: "tab", onclick: () => choose(name) }, name));
  function choose(name) {
    chosen = name;
    tabs.forEach((tab) => {
      tab.setAttribute("aria-selected", tab.textContent === name);
      tab.tabIndex = tab.textContent === name ? 0 : -1;
    });
    shown.replaceChildren(code(makers[name](key), t("copy_code")));
  }
  const bar = el("div", { className: "f-tabs", role: "tablist", aria: { label: t("examples") } }, ...tabs);
  bar.onkeydown = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(tabs.findIndex((tab) => tab.textContent === chosen) + step + tabs.length) % tabs.length];
    choose(next.textContent);
    next.focus();
  };
  choose(chosen);
  const element = section(
    t("programs"), el("p", { className: "f-muted" }, t(login ? "programs_more" : "programs_more_open")),
    el("dl", { className: "f-facts" },
      el("dt", {}, "OpenAI"), el("dd", {}, el("code", {}, `${base}/v1`)),
      el("dt", {}, "Anthropic, text-generation-inference"), el("dd", {}, el("code", {}, base))),
    bar, shown, el("p", {}, el("a", { href: "/docs" }, t("api_reference")), el("span", { className: "f-muted" }, " · "), el("a", { href: "/openapi.json" }, "OpenAPI")),
  );
  return { element, use: (fresh) => { key = fresh; choose(chosen); } };
}

export async function mount(element) {
  const page = el("div", { className: "f-sheet" });
  element.replaceChildren(page);
  const [me, { models }] = await Promise.all([get("/api/me"), get("/api/models")]).catch((error) => {
    page.replaceChildren(el("p", { role: "alert" }, error.message));
    throw error;
  });
  document.title = `${me.login ? me.name : t("page_api")} · Falconry`;
  const shown = examples(me.login, models.find((model) => model.default)?.name ?? "");
  if (!me.login) {
    const more = section(t("share"), el("p", { className: "f-muted" }, t("share_more")), code("falconry users add NAME"));
    page.replaceChildren(el("h1", {}, t("page_api")), shown.element, more);
    return;
  }
  const keys = new Keys(me, shown.use);
  const who = el("p", { className: "f-muted" }, t(ROLES[me.role]));
  page.replaceChildren(el("h1", {}, me.name), who, keys.element, shown.element, password_section());
  await keys.refresh();
}
