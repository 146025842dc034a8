// The completion page: a raw prompt in, its continuation out. Nothing is remembered between two of them.
import { postEvents } from "./api.js";
import * as box from "./completion_box.js";
import { announce, el, notice, present, store, t, type } from "./dom.js";
import * as models from "./models.js";
import { nameSliders } from "./slider_names.js";

let params = { max_tokens: 20, temperature: 0.7 };
let running = null;

/** The sliders, as Gradio tells them. */
export function changed(max_tokens, temperature) {
  params = { max_tokens: max_tokens ?? params.max_tokens, temperature: temperature ?? params.temperature };
}

/** One button takes the other's place, and its focus. */
function show(isRunning) {
  const [submit, stop] = ["completion-submit", "completion-stop"].map((id) => document.getElementById(id));
  const focused = document.activeElement === (isRunning ? submit : stop);
  document.documentElement.toggleAttribute("data-running", isRunning);
  if (focused) (isRunning ? stop : submit).focus();
}

async function submit(prompt) {
  if (running || !prompt) return;
  running = new AbortController();
  show(true);
  box.clear();
  let length = 0;
  try {
    const body = { prompt, model: models.current(), params };
    for await (const [name, data] of postEvents("/api/complete", body, running.signal)) {
      if (name === "delta") {
        box.append(data.text);
        length += data.text.length;
      }
      if (name === "error") throw new Error(data.text ?? data.error?.text ?? data.message);
      if (name === "done") {
        const tokens = data.usage ? t("tokens", { count: data.usage.completion_tokens }) : "";
        const end = data.finish_reason === "length" ? t("completion_length") : "";
        box.say([tokens, end].filter(Boolean).join(" · "));
        announce(t("completion_done"));
      }
    }
  } catch (error) {
    if (error.name === "AbortError") box.say(t("ended_stopped"));
    else notice(error.message, { kind: "error", seconds: 12 });
  }
  running = null;
  show(false);
}

export async function mount(element) {
  element.replaceChildren(el("h1", {}, t("page_complete")), el("p", { className: "f-muted" }, t("completion_more")));
  nameSliders("#completion-max-tokens");
  nameSliders("#completion-options");
  const prompt = await present("#completion-prompt textarea");
  type(prompt, store.get("draft.completion") ?? "");
  prompt.addEventListener("input", () => store.set("draft.completion", prompt.value));
  document.getElementById("completion-prompt").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.stopPropagation(); // Enter breaks the line here: a prompt is a text
    if (!event.isComposing && (event.ctrlKey || event.metaKey)) submit(prompt.value);
  }, true);
  (await present("#completion-submit")).addEventListener("click", () => submit(prompt.value));
  (await present("#completion-stop")).addEventListener("click", () => running?.abort());
  document.addEventListener("keydown", (event) => event.key === "Escape" && running?.abort());
}
