import { h } from "../dom.js";
import { address, hash, words } from "../format.js";

const DEPTH_MAX = 8;
const ITEMS_MAX = 20;
const DID = /^did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}$/;
const DIGEST = /^[0-9a-f]{64}$/;

/**
 * Return a value that a contract gave, whatever it is, as nodes: records as lists of facts, lists
 * cut at 20 with the rest behind a disclosure, addresses as links, texts as text.
 */
export function valueView(value, { names = null, depth = 0 } = {}) {
  if (value === null || value === undefined) return h("span", { class: "muted" }, "nothing");
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (depth > DEPTH_MAX) return h("span", { class: "muted" }, "deeper than is shown: see the JSON");
  const next = { names, depth: depth + 1 };
  if (Array.isArray(value)) return listView(value, next);
  if (typeof value === "object") return recordView(value, next);
  const text = String(value);
  if (DID.test(text)) return address(text, names);
  return DIGEST.test(text) ? hash(text) : words(text);
}

function listView(list, next) {
  if (!list.length) return h("span", { class: "muted" }, "an empty list");
  const item = (one) => h("li", {}, valueView(one, next));
  const rest = list.slice(ITEMS_MAX, 10 * ITEMS_MAX);
  return h(
    "ol",
    { class: "values", start: "0" },
    list.slice(0, ITEMS_MAX).map(item),
    rest.length > 0 &&
      h("li", {}, h("details", {}, h("summary", {}, `and ${list.length - ITEMS_MAX} more`), [
        h("ol", { class: "values", start: String(ITEMS_MAX) }, rest.map(item)),
      ])),
  );
}

function recordView(record, next) {
  return h(
    "dl",
    { class: "facts values" },
    Object.entries(record).map(([name, one]) =>
      h("div", {}, h("dt", {}, h("bdi", {}, name)), h("dd", {}, valueView(one, next))),
    ),
  );
}
