import { h } from "../dom.js";
import { amount, badge, count, facts, hash, hanse, words } from "../format.js";
import { table } from "./table.js";
import { valueView } from "./value.js";

const OUTCOMES = {
  done: ["done", "good"],
  failed: ["failed: undone, its fee is paid", "bad"],
  refused: ["refused: it changed nothing", "warn"],
};

/** Return what became of a transaction as a badge. */
export function outcome(status) {
  return badge(...(OUTCOMES[status] ?? [status, "plain"]));
}

/** Return the transactions of a commit as a table. */
export function receiptTable(receipts) {
  const columns = [
    { label: "Place", head: true, number: true, cell: (one) => count(one.index) },
    {
      label: "Transaction",
      cell: (one) => hash(one.transaction_id, { href: `#/tx/${one.transaction_id}`, what: "id" }),
    },
    { label: "Outcome", cell: (one) => outcome(one.status), sort: (one) => one.status },
    { label: "Why", cell: (one) => words(one.trap || one.code || "–", { cut: 80 }) },
    { label: "Events", cell: (one) => words(eventNames(one.events), { cut: 80 }) },
    exact("Gas", "gas_used", count),
    exact("Fee (HANSE)", "fee", hanse),
  ];
  const empty = "This commit has no transactions: the chain was idle, and went on.";
  return table({ caption: "Transactions of this commit", columns, rows: receipts, empty });
}

function exact(label, key, format) {
  const cell = (one) => format(one[key]);
  return { label, number: true, cell, sort: (one) => BigInt(one[key]) };
}

function eventNames(events) {
  return events.map((one) => one.name).join(", ") || "–";
}

/** Return everything that a receipt says, and its events. */
export function receiptView(receipt, { names }) {
  return [
    h(
      "section",
      { class: "card", "aria-label": "What became of it" },
      facts([
        ["Outcome", outcome(receipt.status)],
        (receipt.code || receipt.trap) && ["Why", [words(receipt.code), " ", words(receipt.trap)]],
        ["Commit", h("a", { href: `#/commit/${receipt.height}` }, count(receipt.height))],
        ["Place in the commit", count(receipt.index)],
        ["Gas used", count(receipt.gas_used)],
        ["Fee", amount(receipt.fee)],
        receipt.created && [
          "Contract it made",
          hash(receipt.created, { href: `#/contract/${receipt.created}`, what: "address" }),
        ],
        receipt.result && ["Result, as bytes", hash(receipt.result, { what: "result" })],
      ]),
    ),
    h(
      "section",
      { class: "card", "aria-labelledby": "events-title" },
      h("h2", { id: "events-title" }, "Events"),
      eventTable(
        receipt.events.map((event, place) => ({ event, place })),
        { names, empty: "It told nothing." },
      ),
    ),
  ];
}

/**
 * Return events as a table. Rows are `{event, place?, height?, receipt_index?}`; the columns of
 * place are there as the first row has them.
 */
export function eventTable(rows, { names = null, empty, caption = "Events, in their order" }) {
  const isPlaced = rows[0]?.height !== undefined;
  const where = isPlaced
    ? { label: "Commit", number: true, cell: ({ height }) => commitLink(height) }
    : { label: "Contract", cell: ({ event }) => contractLink(event.contract) };
  const columns = [
    { label: "Event", head: true, cell: ({ event }) => words(event.name, { cut: 60 }) },
    where,
    { label: "Fields", cell: ({ event }) => fieldsView(event, names) },
  ];
  return table({ caption, columns, rows, empty, pageRows: 12, keyOf: isPlaced ? placeOf : null });
}

function placeOf({ height, receipt_index: receipt, event_index: event }) {
  return `${height} ${receipt} ${event}`;
}

function commitLink(height) {
  return h("a", { href: `#/commit/${height}` }, count(height));
}

function contractLink(contract) {
  return hash(contract, { href: `#/contract/${contract}`, what: "address" });
}

function fieldsView({ fields }, names) {
  if (fields === null) {
    return h("span", { class: "muted" }, "Cannot be read: the code of the contract is gone.");
  }
  return valueView(fields, { names });
}
