import { isAbort } from "./api.js";
import { h, replace } from "./dom.js";
import { clip } from "./format.js";
import { problem } from "./parts/states.js";
import { onAnew } from "./stream.js";

const TITLE_MAX = 120;
const LOAD_ALL_AFTER_MS = 1_000;
/** Control characters and marks of direction, which would reach beyond a title. */
const INVISIBLE = /[\p{Cc}\p{Cf}]/gu;

const ROUTES = [
  ["", "overview", []],
  ["chain", "chain", []],
  ["commit", "commit", ["height"]],
  ["tx", "transaction", ["id"]],
  ["account", "account", ["address"]],
  ["validators", "validators", []],
  ["contracts", "contracts", []],
  ["contract", "contract", ["contract"]],
  ["tasks", "tasks", []],
  ["task", "task", ["task"]],
  ["round", "round", ["task", "round"]],
  ["models", "models", ["task"]],
  ["model", "model", ["task", "version"]],
  ["participants", "participants", []],
  ["participant", "participant", ["address"]],
  ["search", "search", ["query"]],
];

/**
 * Return what a location hash names: `{view, params}`, or null where it names nothing.
 *
 * Parameters are decoded text, whatever a stranger's link put there: views must treat them so.
 */
export function parse(text) {
  const [name, ...given] = text.replace(/^#?\/?/, "").split("/");
  const route = ROUTES.find(([first]) => first === name);
  const values = given.filter((part) => part !== "");
  if (!route || values.length !== route[2].length) return null;
  try {
    const pairs = route[2].map((key, place) => [key, decodeURIComponent(values[place])]);
    return { view: route[1], params: Object.fromEntries(pairs) };
  } catch {
    return null;
  }
}

/**
 * Show the view that the location names, and again whenever it changes.
 *
 * A view gets `{signal, root, heading, json}`: `signal` is aborted when it is left, `root` is its
 * place, `heading(text)` changes its title, `json([[label, path], ...])` its links to the API.
 * `main` has in `data-place` the location whose view stands in it, and `data-views` once all views
 * are here.
 */
export function start(main, { onView }) {
  let leaving = new AbortController();
  const go = async (focus) => {
    leaving.abort(new DOMException("the view was left", "AbortError"));
    leaving = new AbortController();
    const { signal } = leaving;
    await showView(main, location.hash, { signal, onView, focus, again: go });
  };
  window.addEventListener("hashchange", (event) => {
    // The skip link names an element, not a view.
    if (location.hash === "#content") {
      main.focus();
      history.replaceState(null, "", new URL(event.oldURL).hash || "#/");
      return;
    }
    go(true);
  });
  const loadRest = async () => {
    await loadAll();
    main.dataset.views = "all";
  };
  go(false).then(() => setTimeout(() => loadRest().catch(() => {}), LOAD_ALL_AFTER_MS));
}

/** Views are small: with all of them here, one can go anywhere while the node is away. */
function loadAll() {
  return Promise.all(ROUTES.map(([, view]) => import(`./views/${view}.js`)));
}

async function showView(main, hash, { signal, onView, focus, again }) {
  const place = parse(hash);
  const title = h("h1", { tabindex: "-1" });
  const links = h("p", { class: "json-links" });
  const root = h("div", { class: "view" });
  const heading = (text) => {
    replace(title, h("bdi", {}, text));
    document.title = `${clip(String(text).replace(INVISIBLE, ""), TITLE_MAX)} · Hanse`;
  };
  const json = (pairs) => replace(links, jsonLinks(pairs));
  const put = () => {
    replace(main, h("div", { class: "view-head" }, title, links), root);
    main.dataset.place = hash;
  };
  onView(place?.view ?? null);
  try {
    const module = place ? await import(`./views/${place.view}.js`) : null;
    signal.throwIfAborted();
    heading(module ? module.title(place.params) : "There is no such page");
    put();
    if (focus) {
      title.focus({ preventScroll: true });
      window.scrollTo(0, 0);
    }
    if (!module) replace(root, lost());
    await module?.show(place.params, { signal, root, heading, json });
  } catch (error) {
    if (isAbort(error) || signal.aborted) return;
    console.error(error);
    if (!root.isConnected) put();
    replace(root, problem(error, () => again(true)));
    // Who reads elsewhere in the page keeps the focus.
    onAnew(() => again(false), { signal });
  }
}

function jsonLinks(pairs) {
  const links = pairs.map(([label, path]) =>
    h("a", { href: path, target: "_blank", rel: "noopener" }, label),
  );
  return links.length ? ["JSON: ", ...links.flatMap((link, n) => (n ? [", ", link] : [link]))] : [];
}

function lost() {
  return h(
    "div",
    { class: "nothing" },
    h("p", {}, "The address names no page of the explorer."),
    h("p", {}, h("a", { href: "#/" }, "Go to the overview"), " or search above."),
  );
}
