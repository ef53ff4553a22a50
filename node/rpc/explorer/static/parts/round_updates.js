import { h } from "../dom.js";
import { address, amount, badge, score, share } from "../format.js";
import { eachSliced } from "../pace.js";
import { section } from "./section.js";
import { table } from "./table.js";
import { updateCard } from "./update_card.js";
import { explain, verdictName, verdictTone } from "./verdict.js";

/** Return an overview of all updates of a round, with the verdicts. */
export function updates(around) {
  const { judgement } = around;
  const hint =
    "An update is what one trainer proposes to change. Every validator measures whether the loss falls or rises with it; " +
    "the median of all, weighted by power, is its score. It counts if its score is above the threshold.";
  if (!judgement.updates.length) {
    const text =
      judgement.outcome === "running"
        ? "No update yet; trainers are at work."
        : "No trainer took part in this round.";
    return section("Updates", hint, h("p", { class: "muted" }, text));
  }
  return section("Updates", hint, [overview(around), displaced(around)]);
}

/** Return each update with its scores, null without any; made in slices, between which it awaits `step()`. */
export async function updateCards(around, step) {
  const { updates: all } = around.judgement;
  if (!all.length) return null;
  const cards = await eachSliced(all, (one) => updateCard(one, around), step);
  return section(
    "Each update",
    "With the score that every validator gave it, and what follows from them.",
    h("div", { class: "updates" }, cards),
  );
}

function displaced({ judgement, names: known }) {
  if (!judgement.displaced.length) return null;
  const who = judgement.displaced.map((one) => [" ", address(one, known, { view: "participant" })]);
  return h(
    "p",
    {},
    "The round was full, and these gave way to better reputations; their bonds came back:",
    who,
  );
}

function overview({ judgement, names: known }) {
  const columns = [
    {
      label: "Update",
      head: true,
      number: true,
      sort: (one) => one.index,
      cell: (one) => one.index,
    },
    { label: "Trainer", cell: (one) => address(one.trainer, known, { view: "participant" }) },
    {
      label: "Verdict",
      sort: (one) => one.verdict,
      cell: (one) => badge(verdictName(one.verdict), verdictTone(one.verdict)),
    },
    {
      label: "Why",
      cell: (one) => h("span", { class: "sentence" }, explain(one, judgement).sentence),
    },
    {
      label: "Score",
      number: true,
      sort: (one) => Number(one.score ?? -Infinity),
      cell: (one) => (one.score === null ? "–" : score(one.score)),
    },
    {
      label: "Weight",
      number: true,
      sort: (one) => Number(one.weight),
      cell: (one) => (one.verdict === "pending" ? "–" : share(one.weight)),
    },
    {
      label: "Earned",
      number: true,
      sort: (one) => BigInt(one.earned ?? 0),
      cell: (one) => (one.earned === null ? "–" : amount(one.earned)),
    },
  ];
  return table({
    caption: "All updates of this round",
    columns,
    rows: judgement.updates,
    pageRows: 20,
  });
}
