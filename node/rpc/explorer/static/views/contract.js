import { get } from "../api.js";
import { h, replace } from "../dom.js";
import { address, amount, clip, count, facts, hash, short, words } from "../format.js";
import { eventFeed } from "../parts/event_feed.js";
import { live } from "../parts/live.js";
import { names } from "../parts/names.js";
import { nothing } from "../parts/states.js";
import { table } from "../parts/table.js";
import { viewForms } from "../parts/view_form.js";

const CONTRACT = /^([0-9a-f]{64}|[a-z][a-z0-9_-]{0,30})$/;

export function title({ contract }) {
  return `Contract ${short(contract)}`;
}

/** Show what a contract is, what it can be asked, and what it told. */
export async function show({ contract }, { signal, root, heading, json }) {
  if (!CONTRACT.test(contract)) {
    const hint = "Give its address in hex, or its name at the start of the chain.";
    replace(root, nothing("This names no contract.", hint));
    return;
  }
  const path = `/v1/contracts/${contract}`;
  json([
    ["contract", path],
    ["events", `${path}/events`],
  ]);
  const read = async () => {
    const [found, known] = await Promise.all([get(path, { signal }), names()]);
    return { found, known: [...known] };
  };
  const people = new Map();
  const first = h("div");
  const draw = ({ found, known }) => {
    heading(`Contract ${clip(found.name, 60)}`);
    for (const [who, name] of known) people.set(who, name);
    replace(first, card(found, people));
    // Methods never change; what was asked, and events that were read, stay as they are.
    if (first.isConnected) return;
    replace(
      root,
      first,
      h("div", { class: "cards" }, methodList(found), questions(found)),
      eventFeed({ contract: found.address, signal, names: people }),
    );
  };
  live({ root, signal, read, draw });
}

function card(contract, people) {
  return h(
    "section",
    { class: "card", "aria-label": "The contract" },
    facts([
      ["Name", words(contract.name)],
      ["Address", hash(contract.address, { what: "address" })],
      ["Code", hash(contract.code_digest, { what: "digest of the code" })],
      ["Put there by", contract.height ? address(contract.deployer, people) : "the start of the chain"],
      contract.height && [
        "Since commit",
        h("a", { href: `#/commit/${contract.height}` }, count(contract.height)),
      ],
      ["Holds", amount(contract.balance)],
    ]),
  );
}

function methodList({ methods }) {
  const kinds = { view: "question", external: "call", payable: "call with money" };
  const columns = [
    { label: "Method", head: true, cell: (one) => h("code", {}, one.name), sort: (one) => one.name },
    { label: "Kind", cell: (one) => kinds[one.kind] ?? one.kind, sort: (one) => one.kind },
    { label: "Takes", cell: (one) => h("code", {}, one.params.join(", ") || "nothing") },
    { label: "Gives", cell: (one) => h("code", {}, one.result) },
  ];
  return h(
    "section",
    { class: "card", "aria-labelledby": "methods-title" },
    h("h2", { id: "methods-title" }, "Methods"),
    table({ caption: "What it can be asked and told", columns, rows: methods, pageRows: 15 }),
  );
}

function questions({ address: place, methods }) {
  const views = methods.filter((one) => one.kind === "view");
  return h(
    "section",
    { class: "card", "aria-labelledby": "views-title" },
    h("h2", { id: "views-title" }, "Ask it"),
    h("p", { class: "muted" }, "Questions read the state of now; they change and cost nothing."),
    views.length ? viewForms({ contract: place, views }) : nothing("It answers no questions."),
  );
}
