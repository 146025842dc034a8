// The form for another endpoint: a URL is enough. It can be tested first; what is wrong is told, and can be overruled.
import { post } from "./api.js";
import { announce, button, el, icon, t } from "./dom.js";
import { modelText } from "./endpoint_row.js";
import { choice, field } from "./forms.js";

const EXAMPLE = "localhost:8000";
const KINDS = [["auto", ""], ["openai", "OpenAI API"], ["tgi", "TGI"], ["vllm", "vLLM"], ["sglang", "SGLang"], ["llama_cpp", "llama.cpp"], ["ollama", "Ollama"], ["lm_studio", "LM Studio"], ["huggingface", "Hugging Face"], ["falconry", "Falconry"]];
const FEATURES = { chat: "feature_chat", tools: "feature_tools", json_schema: "feature_json_schema", regex: "feature_regex", logprobs: "feature_logprobs", prompt_logprobs: "feature_prompt_logprobs", count: "feature_count", continue: "feature_continue" };
const MANY = 8; // models, from which on a box to look for one is worth its place

/** A name for a server nobody has named: its host, and with many on one machine its port. */
function nameFor(url) {
  const host = url.replace(/^\w+:\/\//, "").replace(/[/?#].*$/, "").replace(/^api\./, "");
  return /^(localhost|127\.|\[)/.test(host) ? host : host.replace(/:\d+$/, "");
}

export class EndpointForm {
  constructor(added) {
    this.added = added;
    this.names = new Set();
    this.url = field(t("endpoint_url"), { placeholder: EXAMPLE, maxLength: 2000, spellcheck: false, autocapitalize: "none", autocomplete: "off", inputMode: "url" });
    this.name = field(t("endpoint_name"), { maxLength: 200, spellcheck: false, autocomplete: "off", required: false });
    this.key = field(t("endpoint_key"), { type: "password", maxLength: 4000, autocomplete: "new-password", required: false, placeholder: t("endpoint_key_none") });
    this.kind = choice(t("endpoint_kind"), KINDS.map(([value, name]) => [value, name || t("endpoint_kind_auto")]));
    this.auth = choice(t("endpoint_auth"), [["bearer", t("endpoint_auth_bearer")], ["basic", t("endpoint_auth_basic")]]);
    this.format = choice(t("endpoint_format"), [["auto", t("endpoint_format_auto")], ["plain", t("endpoint_format_plain")]]);
    this.context = field(t("endpoint_context_length"), { type: "number", min: 128, max: 100000000, required: false, placeholder: t("endpoint_context_told") });
    this.model = field(t("endpoint_model"), { maxLength: 300, spellcheck: false, autocomplete: "off", required: false, placeholder: t("endpoint_model_all") });
    this.url.input.oninput = () => { this.name.input.placeholder = nameFor(this.url.input.value.trim()); this.forget(); };
    const more = el("details", { className: "f-fold" }, el("summary", {}, t("endpoint_more")),
      el("div", { className: "f-pair" }, this.model.element, this.kind.element, this.auth.element, this.format.element, this.context.element));
    this.test = button(t("endpoint_test"), null, () => this.tryOut(), { label: true, className: "f-solid" });
    this.press = el("button", { type: "submit", className: "f-press" }, t("endpoint_add"));
    this.force = button(t("endpoint_force"), null, () => this.submit(true), { label: true, className: "f-quiet" });
    this.force.hidden = true;
    this.wrong = el("p", { className: "f-wrong", role: "alert", hidden: true });
    this.found = el("div", { className: "f-found", role: "status", hidden: true });
    this.element = el("form", { className: "f-form f-endpoint-form", aria: { label: t("endpoint_new") } },
      el("h2", {}, t("endpoint_new")), el("p", { className: "f-muted" }, t("endpoint_new_more")),
      el("div", { className: "f-pair" }, this.url.element, this.name.element, this.key.element), more,
      this.found, this.wrong, el("div", { className: "f-acts" }, this.press, this.test, this.force));
    this.element.onsubmit = (event) => { event.preventDefault(); this.submit(false); };
  }

  /** What the routes take as a server. */
  server() {
    const picked = [...this.found.querySelectorAll("input[type=checkbox]")];
    const chosen = picked.filter((box) => box.checked).map((box) => box.value);
    const own = this.model.input.value.trim();
    return {
      url: this.url.input.value.trim(),
      api_key: this.key.input.value.trim() || null,
      auth: this.auth.input.value,
      kind: this.kind.input.value,
      models: own ? [own] : chosen.length < picked.length ? chosen : [],
      prompt_format: this.format.input.value,
      context_length: Number(this.context.input.value) || null,
    };
  }

  /** What was found out is of another server, as soon as the URL is another. */
  forget() {
    this.found.hidden = this.wrong.hidden = this.force.hidden = true;
    this.found.replaceChildren();
  }

  fail(error) {
    this.wrong.textContent = error.text ?? error.message;
    this.wrong.hidden = false;
  }

  async busy(press, work) {
    this.wrong.hidden = this.force.hidden = true;
    for (const each of [this.press, this.test, this.force]) each.disabled = true;
    press.setAttribute("aria-busy", "true");
    try {
      await work();
    } catch (error) {
      this.fail(error);
    }
    press.removeAttribute("aria-busy");
    for (const each of [this.press, this.test, this.force]) each.disabled = false;
  }

  tryOut() {
    if (!this.element.reportValidity()) return undefined;
    return this.busy(this.test, async () => {
      const report = await post("/api/endpoints/test", { server: this.server() });
      this.show(report);
      if (report.problem) this.fail(report.problem);
    });
  }

  submit(force) {
    const boxes = [...this.found.querySelectorAll("input[type=checkbox]")];
    // Without a list the server would offer all of them.
    if (boxes.length && !boxes.some((box) => box.checked) && !this.model.input.value.trim()) return this.fail({ text: t("endpoint_choose_some") });
    return this.busy(force ? this.force : this.press, async () => {
      const name = this.name.input.value.trim() || this.free(nameFor(this.url.input.value.trim()));
      try {
        await post("/api/endpoints", { ...this.server(), name, force });
      } catch (error) {
        this.force.hidden = !error.details?.host || error.code === "endpoint_metadata_address";
        throw error;
      }
      this.element.reset();
      this.name.input.placeholder = "";
      this.forget();
      announce(t("endpoint_added", { name }));
      await this.added();
    });
  }

  /** A name that no endpoint has yet. */
  free(name) {
    let found = name;
    for (let number = 2; this.names.has(found); number += 1) found = `${name} ${number}`;
    return found;
  }

  /** What a test found out, and a choice among the models where there are several. */
  show({ ok, model, seconds, facts }) {
    this.found.hidden = !facts;
    if (!facts) return;
    const head = el("p", { className: "f-found-head" }, ok ? icon("check") : null, el("b", {}, [facts.kind_name, facts.version].filter(Boolean).join(" ")), el("span", { className: "f-muted" }, facts.url));
    const works = ok ? el("p", {}, t("endpoint_works", { model: model ?? "", seconds })) : null;
    const able = el("p", { className: "f-muted" }, facts.features.map((name) => t(FEATURES[name])).join(" · "));
    this.found.replaceChildren(...[head, works, able, this.choices(facts.models.filter((each) => each.chat))].filter(Boolean));
  }

  choices(models) {
    if (models.length < 2) return models.length ? el("p", { className: "f-muted" }, modelText(models[0])) : null;
    const rows = models.map((model) => el("label", { className: "f-check" }, el("input", { type: "checkbox", value: model.id, checked: true }), el("span", {}, modelText(model))));
    const box = el("fieldset", { className: "f-checks" }, el("legend", {}, t("endpoint_choose", { count: models.length })));
    if (models.length > MANY) {
      const find = el("input", { type: "search", placeholder: t("models_filter"), aria: { label: t("models_filter") }, maxLength: 200, oninput: () => {
        const word = find.value.trim().toLowerCase();
        for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(word);
      } });
      const tick = (checked) => () => rows.forEach((row) => { if (!row.hidden) row.querySelector("input").checked = checked; });
      box.append(el("label", { className: "f-find" }, icon("search"), find), el("div", { className: "f-acts" },
        button(t("endpoint_all"), null, tick(true), { label: true }), button(t("endpoint_no_one"), null, tick(false), { label: true })));
    }
    box.append(el("div", { className: "f-choices", tabIndex: 0, role: "group", aria: { label: t("endpoint_choose", { count: models.length }) } }, ...rows));
    return box;
  }
}
