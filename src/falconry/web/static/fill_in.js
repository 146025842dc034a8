// Going through the {{places}} of a prompt that was just taken: Tab selects the next one, Escape ends it.
import { announce, t } from "./dom.js";
import { places } from "./prompts.js";

export class FillIn {
  constructor(box) {
    this.box = box;
    this.active = false;
  }

  /** A prompt stands in the box from `start` on: the first place is selected. */
  begin(start) {
    this.active = this.select(start, 1);
    if (this.active) announce(t("fill_in"));
  }

  end() {
    this.active = false;
  }

  /** Selects the next place after a position, or the last before it. */
  select(from, direction) {
    const all = places(this.box.value);
    const place = direction > 0 ? all.find(([start]) => start >= from) : all.findLast(([, end]) => end <= from);
    if (!place) return false;
    this.box.setSelectionRange(...place);
    return true;
  }

  /** Whether the key was for the places. After the last one Tab is Tab again. */
  keydown(event) {
    if (!this.active || event.ctrlKey || event.metaKey || event.altKey) return false;
    if (event.key === "Escape") {
      this.end();
    } else if (event.key === "Tab") {
      const { selectionStart, selectionEnd } = this.box;
      const found = event.shiftKey ? this.select(selectionStart, -1) : this.select(selectionEnd, 1) || this.select(0, 1);
      if (!found) {
        this.end();
        return false;
      }
    } else {
      return false;
    }
    event.preventDefault();
    event.stopPropagation();
    return true;
  }
}
