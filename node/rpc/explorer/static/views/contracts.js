import { getOrNull } from "../api.js";
import { h, replace } from "../dom.js";
import { amount, count, facts, hash } from "../format.js";
import { live } from "../parts/live.js";
import { nothing } from "../parts/states.js";

const STANDARD = [
  ["identity", "Who the participants are: organisations, roles and keys."],
  ["tasks", "What is to be trained, and the money put aside for it."],
  ["rounds", "The rules of a training round, from updates to the new model."],
  ["reputation", "What a task remembers of each participant, and owes it."],
  ["registry", "Every version of every model, and who made it."],
  ["disputes", "Faults, appeals and what they cost."],
];

export function title() {
  return "Contracts";
}

/** Show the contracts that hold the rules of the federation. */
export async function show(params, { signal, root, json }) {
  json(STANDARD.map(([name]) => [name, `/v1/contracts/${name}`]));
  const read = async () => {
    const paths = STANDARD.map(([name]) => `/v1/contracts/${name}`);
    return Promise.all(paths.map((path) => getOrNull(path, { signal })));
  };
  live({ root, signal, read, draw: (found) => replace(root, view(found)) });
}

function view(found) {
  const cards = found.map((contract, place) => contract && card(contract, STANDARD[place]));
  const lead =
    "Rules of this network are programs that every validator runs alike; none can bend them alone.";
  const own = "Others are found by their address: search for it.";
  if (!cards.some(Boolean)) {
    return nothing("This chain began without the contracts of the federation.", own);
  }
  return [
    h("p", { class: "lead" }, lead),
    h("div", { class: "cards" }, cards),
    h("p", { class: "hint" }, own),
  ];
}

function card(contract, [name, meaning]) {
  return h(
    "section",
    { class: "card", "aria-label": name },
    h("h2", {}, h("a", { href: `#/contract/${name}` }, name)),
    h("p", {}, meaning),
    facts([
      ["Address", hash(contract.address, { what: "address" })],
      ["Methods", count(contract.methods.length)],
      ["Holds", amount(contract.balance)],
    ]),
  );
}
