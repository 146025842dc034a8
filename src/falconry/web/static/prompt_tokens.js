// The tokens of a prompt, one beside the other, as text that can be selected.
import { el, t } from "./dom.js";

const GROUP = 500; // tokens that are laid out together, and only when they come into view
const MARKS = { " ": "·", "\n": "↵\n", "\t": "→\t", "\r": "␍" };

/** Blanks and line ends as signs; a part of a character as its bytes. */
const visible = ({ text, bytes }) => (bytes ? bytes.replace(/../g, "⟨$&⟩") : text.replace(/[ \n\t\r]/g, (sign) => MARKS[sign]));

function tokenElement(token) {
  const more = token.special ? `${t("reads_special")} · ${token.id}` : `${token.id}`;
  return el(token.special ? "mark" : "span", { title: more, className: token.bytes ? "f-token f-bytes" : "f-token" }, visible(token));
}

/** An element with all of them. `count` is how many there are, of which the first ones are told. */
export function tokenView(tokens, count) {
  const groups = [];
  for (let start = 0; start < tokens.length; start += GROUP) {
    groups.push(el("div", { className: "f-tokens" }, ...tokens.slice(start, start + GROUP).map(tokenElement)));
  }
  const key = el("p", { className: "f-muted f-token-key" }, el("mark", { className: "f-token" }, t("reads_special")), " ", t("reads_key"));
  const rest = count > tokens.length ? [el("p", { className: "f-muted" }, t("reads_more", { count: (count - tokens.length).toLocaleString() }))] : [];
  return el("div", { className: "f-stack" }, key, el("div", { className: "f-token-box", tabIndex: 0, role: "region", aria: { label: t("reads_tokens_label") } }, ...groups), ...rest);
}
