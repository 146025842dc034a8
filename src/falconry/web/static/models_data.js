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
    this.asked = 0; // how often a change was told of
    this.last = 0;
    this.reading = null;
  }

  onChange(listener) {
    this.listeners.add(listener);
    if (this.value) listener(this.value);
  }

  /** Reads it anew. Many who ask at once get one reading that begins after the last of them. */
  refresh() {
    this.asked += 1;
    this.reading ??= this.run().finally(() => { this.reading = null; });
    return this.reading;
  }

  async run() {
    let seen;
    do {
      const rest = this.last + GAP - performance.now();
      if (rest > 0 && this.value) await new Promise((next) => setTimeout(next, rest));
      seen = this.asked;
      this.value = await this.read();
      this.last = performance.now();
    } while (seen !== this.asked);
    this.listeners.forEach((listener) => listener(this.value));
  }
}

export const models = new Source(async () => (await get("/api/models")).models);
export const files = new Source(async () => (await get("/api/models/files")).files);
export const downloads = new Source(async () => (await get("/api/downloads")).downloads);
