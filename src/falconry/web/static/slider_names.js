// Gradio calls the two inputs of a slider "range slider for …" and "number input for …", in every language. Here they
// are called what the slider is called.
import { present } from "./dom.js";

/** Names the inputs of all sliders within an element, those that appear later included. */
export async function nameSliders(selector) {
  const root = await present(selector);
  const name = () => {
    for (const input of root.querySelectorAll("input[aria-label*=' for ']")) {
      input.setAttribute("aria-label", input.getAttribute("aria-label").replace(/^(range slider|number input) for /, ""));
    }
  };
  new MutationObserver(name).observe(root, { childList: true, subtree: true });
  name();
}
