// Tabs of a page: one panel is seen at a time, arrows go from tab to tab, and the address remembers which one.
import { el } from "./dom.js";

/** `parts` are {id, name, panel}; gives {element, choose, rename}. */
export function tabs(parts, label) {
  const buttons = parts.map(({ id, name }) => el("button", {
    type: "button", className: "f-tab", role: "tab", id: `tab-${id}`, aria: { controls: `panel-${id}` }, onclick: () => choose(id),
  }, name));
  const panels = parts.map(({ id, panel }) => el("div", { role: "tabpanel", id: `panel-${id}`, className: "f-panel", aria: { labelledby: `tab-${id}` } }, panel));
  const bar = el("div", { className: "f-tabs", role: "tablist", aria: { label } }, ...buttons);

  function choose(id, { focus = false } = {}) {
    const chosen = Math.max(0, parts.findIndex((part) => part.id === id));
    buttons.forEach((button, index) => {
      button.setAttribute("aria-selected", index === chosen);
      button.tabIndex = index === chosen ? 0 : -1;
      panels[index].hidden = index !== chosen;
    });
    if (focus) buttons[chosen].focus();
    history.replaceState(history.state, "", chosen ? `#${parts[chosen].id}` : location.pathname + location.search);
  }

  bar.onkeydown = (event) => {
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    choose(parts[(to + buttons.length) % buttons.length].id, { focus: true });
  };
  choose(location.hash.slice(1));
  window.addEventListener("hashchange", () => choose(location.hash.slice(1)));
  return {
    element: el("div", { className: "f-stack f-tabbed" }, bar, ...panels),
    choose,
    rename: (id, name) => { buttons[parts.findIndex((part) => part.id === id)].textContent = name; },
  };
}
