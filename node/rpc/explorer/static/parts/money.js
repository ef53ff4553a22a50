import { h } from "../dom.js";
import { address, amount, badge, facts } from "../format.js";
import { purposeWords } from "./course.js";
import { table } from "./table.js";
import { costOf } from "./trust.js";

/** Return where the money of a round went. */
export function money(judgement, { names }) {
  const { money: paid, outcome } = judgement;
  if (outcome === "running") {
    return [
      facts([["Reward set aside", amount(paid.reward)]]),
      h("p", { class: "muted" }, "Nothing is paid before the round is settled."),
    ];
  }
  return [
    facts([
      ["Reward set aside", amount(paid.reward)],
      ["Credited to trainers", known(paid.trainers, "vests over the next seven scored rounds")],
      [
        "Paid to validators",
        known(paid.validators, "for scoring, voting and guarding, and for holding files"),
      ],
      paid.burned === "0"
        ? null
        : [
            "Burned",
            known(paid.burned, "bonds of faults, and what was above the bound of one trainer"),
          ],
      ["Bonds returned", known(paid.bonds)],
      paid.returned === null ? null : ["Back to the task", amount(paid.returned)],
    ]),
    paid.payments.length
      ? payments(paid.payments, names)
      : h(
          "p",
          { class: "muted" },
          paid.validators === null ? "Who was paid is not known to this node." : "Nobody was paid.",
        ),
  ];
}

function known(grains, text = "") {
  if (grains === null) return "not known to this node";
  return text ? [amount(grains), note(text)] : amount(grains);
}

function note(text) {
  return h("span", { class: "hint" }, ` (${text})`);
}

function payments(rows, names) {
  const list = table({
    caption: "Payments of this round",
    columns: [
      {
        label: "To",
        head: true,
        cell: (one) => address(one.to, names, { view: "participant" }),
      },
      { label: "For", sort: (one) => one.purpose, cell: (one) => purposeWords(one.purpose) },
      {
        label: "Amount",
        number: true,
        sort: (one) => BigInt(one.amount),
        cell: (one) => amount(one.amount),
      },
      {
        label: "Commit",
        number: true,
        cell: (one) => h("a", { href: `#/commit/${one.height}` }, one.height),
      },
    ],
    rows,
    pageRows: 20,
  });
  return h(
    "details",
    { "data-keep": "payments" },
    h("summary", {}, `${rows.length} payments`),
    list,
  );
}

/** Return who is asked for stake because of this round, null if nobody is. */
export function slashes(rows, { names }) {
  if (!rows.length) return null;
  return table({
    caption:
      "Faults that cost stake; 64 commits pass before it is taken, so that the accused can appeal",
    columns: [
      {
        label: "Who",
        head: true,
        cell: (one) => address(one.who, names, { view: "participant" }),
      },
      { label: "What", cell: (one) => badge(one.fault, "bad") },
      { label: "Stake asked", number: true, cell: (one) => `${one.basis_points / 100} %` },
      { label: "Costs by the rules", cell: (one) => costOf(one.fault) },
      {
        label: "Evidence",
        cell: (one) => h("a", { href: `#/commit/${one.height}` }, `commit ${one.height}`),
      },
    ],
    rows,
  });
}
