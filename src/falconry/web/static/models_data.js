// What the server knows of models, files, downloads and the catalogue: read again when it tells of a change, and shared
// by the parts of the models page.
import { get } from "./api.js";

const GAP = 400; // milliseconds at least between two readings of one thing

/** Something that the server tells, as it was told last. */
export class Source {
  constructor(read) {
    this.read = read;
    this.value = null;
    this.listeners = new Set();
    this.last = 0;
    this.reading = null; // the one that is under way
    this.next = null; // one that has not begun
  }

  onChange(listener) {
    this.listeners.add(listener);
    if (this.value) listener(this.value);
  }

  /** Reads it anew. Many who ask at once get one reading that begins after the last of them. */
  refresh() {
    this.next ??= this.run();
    return this.next;
  }

  async run() {
    await this.reading?.catch(() => { /* its own askers are told */ });
    const rest = this.last + GAP - performance.now();
    if (rest > 0 && this.value) await new Promise((next) => setTimeout(next, rest));
    this.reading = this.next;
    this.next = null;
    this.value = await this.read();
    this.last = performance.now();
    this.listeners.forEach((listener) => listener(this.value));
  }
}

export const models = new Source(async () => (await get("/api/models")).models);
export const files = new Source(async () => (await get("/api/models/files")).files);
export const downloads = new Source(async () => (await get("/api/downloads")).downloads);
