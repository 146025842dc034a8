// Endpoints, for admins: servers elsewhere that run models, how each is, and a form for another one.
import { get } from "./api.js";
import { el, t } from "./dom.js";
import { EndpointForm } from "./endpoint_form.js";
import { EndpointRow } from "./endpoint_row.js";
import { arrange } from "./forms.js";

const AGAIN = 20_000; // ms between two looks while somebody looks: another process may add and remove

export class Endpoints {
  constructor() {
    this.rows = new Map(); // by name, so that what has the focus stays
    this.list = el("ul", { className: "f-models f-endpoints", aria: { label: t("models_endpoints") } });
    this.none = el("p", { className: "f-muted", hidden: true }, t("endpoints_none"));
    this.wrong = el("p", { className: "f-wrong", role: "alert", hidden: true });
    this.form = new EndpointForm(() => this.refresh());
    this.parts = [this.wrong, this.list, this.none, this.form.element];
  }

  async refresh() {
    const { endpoints, problem } = await get("/api/endpoints");
    this.wrong.hidden = !problem;
    this.wrong.textContent = problem?.text ?? "";
    this.none.hidden = endpoints.length > 0;
    this.form.names = new Set(endpoints.map(({ name }) => name));
    const wanted = endpoints.map((endpoint) => {
      const row = this.rows.get(endpoint.name) ?? new EndpointRow(() => this.refresh());
      this.rows.set(endpoint.name, row);
      row.update(endpoint);
      return row.element;
    });
    arrange(this.list, wanted);
    for (const [name, row] of this.rows) if (!wanted.includes(row.element)) this.rows.delete(name);
  }
}

/** Fills an element with the endpoints, and keeps them as they are now. */
export function mount(element) {
  const endpoints = new Endpoints();
  element.replaceChildren(...endpoints.parts);
  const look = () => endpoints.refresh().catch((error) => {
    endpoints.wrong.textContent = error.message;
    endpoints.wrong.hidden = false;
  });
  look();
  setInterval(() => document.hidden || !element.offsetParent || look(), AGAIN);
  return endpoints;
}
