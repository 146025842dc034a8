// The dialog of personas: all of them, the form in which one is made, and files that come and go.
import { announce, button, el, t } from "./dom.js";
import { choice, field } from "./forms.js";
import * as models from "./models.js";
import * as options from "./options.js";
import * as personas from "./personas.js";
import { area, openShelf } from "./shelf.js";

const NUMBERS = { temperature: [0, 2, 0.1], max_tokens: [1, 1_000_000, 1], top_p: [0, 1, 0.01], top_k: [0, 1_000_000, 1], min_p: [0, 1, 0.01], repetition_penalty: [0.01, 10, 0.01], seed: [0, 2 ** 32 - 2, 1] };

/** With `fresh` it opens with a new persona like this. */
export function openPersonas({ fresh = null } = {}) {
  return openShelf({
    title: t("personas_title"),
    intro: t("personas_intro"),
    sign: "@",
    list: personas.list,
    describe: ({ description, system }) => description || system,
    editor,
    save: personas.save,
    remove: personas.remove,
    use: personas.choose,
    extra: (entry) => [download(`${t("persona_export")}: ${entry.name}`, personas.fileOf(entry.id))],
    tools,
    names: { fresh: t("persona_new"), edit: t("persona_edit"), copy: t("persona_copy"), remove: t("persona_delete") },
    fresh,
  });
}

/** A link that looks like a button; the server says that it is a file. */
function download(name, href, { label = false } = {}) {
  const pressed = button(name, "download", null, { label });
  return el("a", { className: pressed.className, href, download: "", title: pressed.title, ariaLabel: label ? null : name }, ...pressed.childNodes);
}

function tools(again, own) {
  const wrong = el("p", { className: "f-wrong", role: "alert", hidden: true });
  const input = el("input", { type: "file", accept: ".json,application/json", hidden: true });
  input.onchange = async () => {
    const [file] = input.files;
    input.value = ""; // the same file may be chosen again
    if (!file) return;
    wrong.hidden = true;
    try {
      const found = await personas.importFile(file);
      await again(t("personas_imported", { count: found.personas.length }));
    } catch (error) {
      wrong.textContent = error.message;
      wrong.hidden = false;
      announce(error.message);
    }
  };
  const present = button(t("persona_from_options"), "sliders", () => fromOptions(wrong), { label: true });
  const bring = button(t("persona_import"), "upload", () => input.click(), { label: true });
  const all = own.length ? [download(t("persona_export_all"), personas.fileOf(null), { label: true })] : [];
  return [present, bring, ...all, input, wrong];
}

function fromOptions(wrong) {
  try {
    const fresh = options.asPersona();
    document.querySelector("dialog.f-library")?.close();
    openPersonas({ fresh });
  } catch (error) {
    wrong.textContent = error.message;
    wrong.hidden = false;
  }
}

function editor(persona) {
  const params = persona.params ?? {};
  const name = field(t("name"), { value: persona.name ?? "", maxLength: 80 });
  const description = field(t("description"), { value: persona.description ?? "", required: false, maxLength: 400 });
  const system = area(t("system"), { value: persona.system ?? "", rows: 7, maxLength: 20_000 });
  const model = choice(t("model"), modelChoices(persona.model), {});
  model.input.value = persona.model ?? "";
  const spoken = choice(t("persona_language"), languageChoices(persona.language), {});
  spoken.input.value = persona.language ?? "";
  const safeguard = choice(t("persona_safeguard"), [["", t("safeguard_none")], ["legal", t("safeguard_law")], ["medical", t("safeguard_medicine")]], {});
  safeguard.input.value = persona.safeguard ?? "";
  const starters = area(t("persona_starters"), { value: (persona.starters ?? []).join("\n"), rows: 3 });
  const sampling = samplingPart(params);
  const pair = (...fields) => el("div", { className: "f-pair" }, ...fields.map(({ element }) => element));
  return {
    parts: [name.element, description.element, system.element, pair(model, spoken), pair(safeguard), starters.element, sampling.element],
    values: () => ({
      name: name.input.value,
      description: description.input.value,
      system: system.input.value,
      model: model.input.value || null,
      language: spoken.input.value || null,
      safeguard: safeguard.input.value || null,
      starters: starters.input.value.split("\n").filter((line) => line.trim()),
      params: sampling.values(),
    }),
  };
}

/** The params, folded: most personas need none. An empty field leaves a param as it is. */
function samplingPart(params) {
  const labels = options.labels();
  const inputs = Object.entries(NUMBERS).map(([name, [min, max, step]]) => {
    const made = field(labels[name], { type: "number", required: false, min, max, step: name === "seed" || step === 1 ? 1 : "any", value: params[name] ?? "", placeholder: t("unchanged") });
    return [name, made];
  });
  const stop = area(labels.stop, { value: (params.stop ?? []).map(options.escape).join("\n"), rows: 2 });
  const schema = area(labels.json_schema, { value: params.json_schema ? JSON.stringify(params.json_schema, null, 2) : "", rows: 3, className: "f-mono", spellcheck: false });
  const grid = el("div", { className: "f-pair" }, ...inputs.map(([, { element }]) => element));
  const set = Object.keys(params).length;
  const element = el("details", { open: Boolean(set) }, el("summary", {}, t("sampling")), grid, stop.element, schema.element);
  const values = () => {
    const given = inputs.filter(([, { input }]) => input.value !== "").map(([name, { input }]) => [name, Number(input.value)]);
    const shape = schema.input.value.trim();
    return { ...Object.fromEntries(given), stop: options.stopsIn(stop.input.value), json_schema: shape ? parsed(shape) : null };
  };
  return { element, values };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(t("field_problem", { field: t("json_schema"), problem: t("schema_json", { problem: error.message }) }));
  }
}

function modelChoices(present) {
  const known = models.list().map(({ name, title }) => [name, title]);
  const missing = present && !known.some(([name]) => name === present) ? [[present, present]] : [];
  return [["", t("persona_any_model")], ...known, ...missing];
}

function languageChoices(present) {
  const known = personas.languages();
  const missing = present && !known.some(([tag]) => tag === present) ? [[present, options.languageName(present)]] : [];
  return [["", t("persona_any_language")], ...known, ...missing];
}
