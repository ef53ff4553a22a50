import { h } from "../dom.js";

/** Return a card with a heading and, under it, a sentence that explains what stands there. */
export function section(heading, hint, children) {
  return h(
    "section",
    { class: "card" },
    h("h2", {}, heading),
    hint && h("p", { class: "hint" }, hint),
    children,
  );
}

/** Return big numbers with their names: pairs of a name and a number or node. */
export function figures(pairs) {
  return h(
    "dl",
    { class: "figures roomy" },
    pairs
      .filter(Boolean)
      .map(([name, ...value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

/** Return terms with their value and a sentence each: triples. */
export function glossary(entries) {
  return h(
    "dl",
    { class: "glossary" },
    entries
      .filter(Boolean)
      .map(([term, value, text]) =>
        h(
          "div",
          {},
          h("dt", {}, term),
          h("dd", {}, value, text && h("p", { class: "hint" }, text)),
        ),
      ),
  );
}
