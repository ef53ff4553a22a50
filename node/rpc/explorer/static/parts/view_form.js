import { isAbort, post } from "../api.js";
import { h, replace } from "../dom.js";
import { copyButton } from "../format.js";
import { problem } from "./states.js";
import { valueView } from "./value.js";

const TEXTS = ["Str", "Bytes", "Address", "Int", "Fixed"];

/** Return a form that calls one of the views of a contract and shows what it says. */
export function viewForms({ contract, views }) {
  const choice = h(
    "select",
    { id: "view-name" },
    views.map((one, place) => h("option", { value: place }, one.name)),
  );
  const fields = h("div", { class: "stack tight" });
  const answer = h("div", { role: "status", class: "stack tight" });
  const chosen = () => views[Number(choice.value || 0)];
  const pick = () => {
    replace(answer);
    replace(fields, chosen().params.map(field));
  };
  choice.addEventListener("change", pick);
  const submit = (event) => {
    event.preventDefault();
    const given = [...fields.querySelectorAll("input")].map((one) => one.value);
    ask({ contract, view: chosen(), given, answer });
  };
  pick();
  return h(
    "form",
    { class: "stack tight", on: { submit } },
    h("label", { for: "view-name" }, "Question"),
    choice,
    fields,
    h("button", { type: "submit", class: "button" }, "Ask"),
    answer,
  );
}

function field(type, place) {
  const id = `view-argument-${place}`;
  const input = h("input", { id, type: "text", autocomplete: "off", spellcheck: "false" });
  const label = ["Argument ", place + 1, ", ", h("code", {}, type), hintOf(type)];
  return h("div", { class: "stack tight" }, h("label", { for: id }, label), input);
}

function hintOf(type) {
  if (type === "Bytes") return " in hex";
  if (type === "Address") return " as did:key or hex";
  return TEXTS.includes(type) ? "" : " as JSON";
}

async function ask({ contract, view, given, answer }) {
  const args = [];
  for (const [place, text] of given.entries()) {
    try {
      args.push(TEXTS.includes(view.params[place]) ? text : JSON.parse(text));
    } catch {
      replace(answer, h("p", {}, `Argument ${place + 1} is not JSON: true, null, [1] or {"a": 1}.`));
      return;
    }
  }
  try {
    const { result } = await post(`/v1/contracts/${contract}/view`, { method: view.name, args });
    const raw = JSON.stringify(result, null, 2);
    const source = h("details", {}, h("summary", {}, "JSON"), [
      copyButton(raw, "Copy the JSON"),
      h("pre", { tabindex: "0" }, raw),
    ]);
    replace(answer, h("h3", {}, "Answer"), valueView(result), source);
  } catch (error) {
    if (!isAbort(error)) replace(answer, problem(error));
  }
}
