// The models page: what this machine can run, what is here, what is loaded, what is being fetched, and where to get more.
import { Live, connection, get } from "./api.js";
import { Catalog } from "./catalog.js";
import { CatalogData } from "./catalog_data.js";
import { el, t } from "./dom.js";
import { Downloads } from "./downloads.js";
import { Advice } from "./models_advice.js";
import * as data from "./models_data.js";
import { Here } from "./models_here.js";
import * as sidebar from "./sidebar.js";
import { tabs } from "./tabs.js";

/** The part of the endpoints, which is a module of its own; only admins may see it. */
function endpoints() {
  const panel = el("div", { className: "f-stack" });
  import("./endpoints.js").then((module) => module.mount(panel)).catch((error) => panel.replaceChildren(el("p", { role: "alert" }, error.message)));
  return panel;
}

export async function mount(element) {
  const page = el("div", { className: "f-sheet f-wide f-models-page" });
  element.replaceChildren(page);
  page.append(el("h1", {}, t("page_models")));
  document.title = `${t("page_models")} · Falconry`;
  const catalog = new CatalogData(data.models, data.downloads);
  try {
    await build(page, catalog);
  } catch (error) {
    page.append(el("p", { role: "alert", className: "f-wrong" }, error.message));
  }
}

async function build(page, catalog) {
  const { role } = await get("/api/me");
  const admin = role === "admin";
  const wrong = el("div", { className: "f-stack f-wrongs", role: "alert" });
  const tell = (error) => wrong.append(el("p", { className: "f-wrong" }, error.message));
  const others = admin ? [data.files, data.downloads] : [data.files];
  // First, so that nothing is pushed down by what comes later. What cannot be read is missing, and the rest is there.
  await Promise.all([data.models.refresh(), ...others.map((source) => source.refresh().catch(tell))]);
  const here = new Here(admin, catalog);
  const parts = [
    { id: "here", name: t("models_here"), panel: here.element },
    { id: "catalog", name: t("catalog"), panel: new Catalog(admin, catalog).element },
    ...(admin ? [{ id: "endpoints", name: t("models_endpoints"), panel: endpoints() }] : []),
  ];
  const bar = tabs(parts, t("page_models"));
  here.onCount = (count) => bar.rename("here", t("models_here_count", { count }));
  here.show();
  const advice = new Advice(admin, catalog);
  page.append(advice.machine, wrong, advice.element, ...(admin ? [new Downloads().element] : []), bar.element);
  const told = {
    list: () => sidebar.refresh(),
    models: () => data.models.refresh(),
    files: () => data.files.refresh(),
    downloads: () => admin && data.downloads.refresh(),
  };
  // Not waited for: each source puts its own readings in line, and a download tells of changes faster than they are read.
  new Live("/view/models/events", (name) => { told[name]?.()?.catch?.(console.error); }, connection);
  await catalog.refresh().catch((error) => advice.fail(error));
}
