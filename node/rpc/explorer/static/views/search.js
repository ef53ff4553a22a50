import { get } from "../api.js";
import { h, replace } from "../dom.js";
import { clip, words } from "../format.js";
import { live } from "../parts/live.js";
import { nothing } from "../parts/states.js";

const QUERY_MAX = 200;

export function title({ query }) {
  return `Search: ${query.slice(0, 60)}`;
}

/** Show what a text may mean; a single find is opened at once. */
export async function show({ query }, { signal, root, json }) {
  const field = document.getElementById("search");
  if (field && field !== document.activeElement) field.value = query;
  const path = `/v1/search?q=${encodeURIComponent(query.trim().slice(0, QUERY_MAX))}`;
  json([["results", path]]);
  const draw = ({ hits }) => {
    const [only] = hits;
    if (hits.length === 1 && isPlace(only.path)) {
      location.replace(only.path);
      return;
    }
    replace(root, hits.length ? list(hits) : none(query));
  };
  live({ root, signal, read: () => get(path, { signal }), draw });
}

function isPlace(path) {
  return path.startsWith("#/");
}

function list(hits) {
  const item = ({ kind, title: name, note, path }) =>
    h(
      "li",
      { class: "card" },
      h("p", {}, h("span", { class: "muted" }, `${kind}: `), found(name, path)),
      note && h("div", { class: "hint" }, words(note)),
    );
  return h(
    "section",
    { class: "stack", "aria-label": "What was found" },
    h("p", { role: "status" }, hits.length === 1 ? "One find." : `${hits.length} finds.`),
    h("ul", { class: "stack plain" }, hits.map(item)),
  );
}

function found(name, path) {
  const shown = h("bdi", {}, clip(name, 90));
  return isPlace(path) ? h("a", { href: path }, shown) : shown;
}

function none(query) {
  return nothing(
    h("span", {}, "Nothing is known here as ", h("bdi", {}, `“${query.slice(0, 80)}”`), "."),
    "Try a whole hash, a did:key, a height, a task's number, or the name of a participant. " +
      "A node that began later, or forgets the past, knows less: ask another one.",
  );
}
