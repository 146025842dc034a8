// A growing text in the page: a list of HTML blocks, and text appended behind the last one until it is rendered.
import { copy, el, t } from "./dom.js";

const INTO = new Set(["P", "LI", "UL", "OL", "BLOCKQUOTE", "PRE", "CODE", "H1", "H2", "H3", "H4", "H5", "H6", "DIV",
  "TABLE", "TBODY", "TR", "TD"]);

/** The HTML comes from the server's sanitiser and from nowhere else. */
export class Blocks {
  constructor(className) {
    this.element = el("div", { className: "f-blocks " + className });
    this.html = [];
    this.tail = null;
  }

  /** Replaces the blocks from an index on; those that stay the same are not touched, so selections in them live. */
  set(from, blocks) {
    this.dropTail();
    blocks.forEach((html, offset) => {
      const index = from + offset;
      if (this.html[index] === html) return;
      let block = this.element.children[index];
      if (!block) {
        block = el("div", { className: "f-block", dir: "auto" });
        this.element.append(block);
      }
      block.innerHTML = html;
      for (const made of block.querySelectorAll(".copy-code")) {
        made.append(el("span", {}, t("copy")), el("span", {}, t("copied")));
        made.setAttribute("aria-label", t("copy_code"));
      }
      for (const scrolls of block.querySelectorAll("pre, .table-scroll")) scrolls.tabIndex = 0;
      this.html[index] = html;
    });
    this.html.length = from + blocks.length;
    while (this.element.children.length > this.html.length) this.element.lastChild.remove();
  }

  /** Appends text that is not rendered yet, where the last block ends. */
  append(text) {
    if (!text) return;
    if (!this.tail?.isConnected) {
      let place = this.element;
      while (place.lastElementChild && INTO.has(place.lastElementChild.tagName)) place = place.lastElementChild;
      this.tail = el("span", { className: "f-tail" });
      place.append(this.tail);
    }
    this.tail.append(text);
  }

  dropTail() {
    this.tail?.remove();
    this.tail = null;
  }

  /** What an event says is new: {"from", "blocks", "append"} or {"append"}. */
  patch(news) {
    if (news.blocks) this.set(news.from, news.blocks);
    this.append(news.append);
  }
}

// One listener for all code blocks. textContent is the code to the letter, tabs included.
document.addEventListener("click", (event) => {
  const pressed = event.target.closest?.(".copy-code");
  if (pressed) copy(pressed.closest(".code-block").querySelector("code").textContent, pressed);
});
