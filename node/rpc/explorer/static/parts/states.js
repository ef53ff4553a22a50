import { ApiError } from "../api.js";
import { h } from "../dom.js";

const PATIENCE_MS = 300;

/** Return an element that says "Reading …", but only after 300 ms: most answers are faster. */
export function loading(text = "Reading from the node …") {
  const element = h("p", { class: "loading muted", role: "status" });
  setTimeout(() => {
    element.textContent = text;
  }, PATIENCE_MS);
  return element;
}

/** Return what went wrong, in words, and what to do; `retry` is called by its button. */
export function problem(error, retry = null) {
  const [text, advice] = explain(error);
  return h(
    "div",
    { class: "callout tone-warn", role: "alert" },
    h("p", {}, h("strong", {}, text)),
    h("p", {}, advice),
    retry && h("button", { type: "button", class: "button", on: { click: retry } }, "Try again"),
  );
}

/** Return an empty state: what is not there, and what would bring it. */
export function nothing(text, whatToDo = null) {
  return h("div", { class: "nothing" }, h("p", {}, text), whatToDo && h("p", {}, whatToDo));
}

function explain(error) {
  if (!(error instanceof ApiError)) {
    return ["This view could not be drawn.", `Reload the page. If it stays so, report: ${error}`];
  }
  switch (error.status) {
    case 0:
      return [
        "The node does not answer at the moment.",
        "This page goes on by itself as soon as the node is back.",
      ];
    case 404:
      return ["There is nothing here.", `The node says: ${error.message}.`];
    case 410:
      return [
        "This node no longer keeps what is asked.",
        "Ask a node that keeps more of the past. The node says: " + error.message,
      ];
    case 429:
      return ["The node asks for patience.", "Too many requests came from here. Wait a moment."];
    case 400:
      return ["The address of this page is not complete.", `The node says: ${error.message}.`];
    case 503:
      return ["This node cannot answer that.", `The node says: ${error.message}.`];
    default:
      return [`The node refused (${error.status}).`, `It says: ${error.message}`];
  }
}
