import { h } from "../dom.js";
import { amount, badge, count, score, share, time } from "../format.js";
import { purposeWords } from "./course.js";
import { fraction } from "./numbers.js";
import { course, trustChart } from "./participant_chart.js";
import { figures, section } from "./section.js";
import { table } from "./table.js";
import { INITIAL, RULE, RULE_NOTES, costOf, disputeWords, step } from "./trust.js";
import { verdictName, verdictTone } from "./verdict.js";

/** Return how much a task trusts a participant, how that went, and by which rule. */
export function trustCard({ history, standing, task }) {
  const steps = course(history);
  const now = standing?.reputation ?? steps.at(-1)?.after ?? INITIAL;
  const moves = steps.filter((one) => one.hasMoved);
  return section(
    `Trust in task ${task}`,
    "The trust score is the participant's reputation on the chain as a fraction. It scales the weight of its updates, at least to a quarter.",
    [
      figures([
        ["Trust score", fraction(now), h("small", {}, ` ${count(now)} of 65,536`)],
        standing
          ? ["Rounds with harm, of the last 5", count(bits(Number(standing.harm_history)))]
          : null,
        standing && Number(standing.quarantined_until)
          ? ["Shut out until scored round", count(standing.quarantined_until)]
          : null,
      ]),
      history ? trustChart(steps) : h("p", { class: "muted" }, "This node keeps no history of it."),
      h("div", { class: "formula" }, [
        h("p", {}, "How it moves after each judged update:"),
        h("p", { class: "mono" }, RULE),
        moves.length ? h("p", { class: "number" }, lastMove(moves.at(-1))) : null,
        h(
          "details",
          { "data-keep": "rule" },
          h("summary", {}, "What the target is, and what faults cost"),
          h(
            "ul",
            {},
            RULE_NOTES.map((note) => h("li", {}, note)),
          ),
        ),
      ]),
    ],
  );
}

function bits(history) {
  return history.toString(2).replaceAll("0", "").length;
}

function lastMove({ round, before, after }) {
  if (before === null) return `Round ${round}: ${fraction(after)}.`;
  const why = step(before, after);
  return `Round ${round}: ${fraction(before)} → ${fraction(after)}${why ? `, ${why}` : ""}.`;
}

/** Return what a participant earned in a task: what vests, what it can claim, what was paid. */
export function rewardsCard({ history, standing, task }) {
  const paid = history?.rewards ?? [];
  return section(
    "Bonds and rewards",
    "A trainer's reward vests: it becomes its own seven scored rounds later, or after as long a time; until then a proven fault burns a part. Validators are paid at once.",
    [
      figures([
        standing ? ["Ready to claim", amount(standing.vested)] : null,
        standing ? ["Vesting", amount(standing.vesting)] : null,
        ["Paid for work", amount(sum(paid, ["reward", "validation"]))],
        ["Bonds returned", amount(sum(paid, ["bond"]))],
      ]),
      paid.length
        ? payments(paid, task)
        : h(
            "p",
            { class: "muted" },
            "Nothing was paid to it in this task that this node knows of.",
          ),
    ],
  );
}

function sum(paid, purposes) {
  return paid
    .filter((one) => purposes.includes(one.purpose))
    .reduce((total, one) => total + BigInt(one.amount), 0n);
}

function payments(paid, task) {
  const columns = [
    {
      label: "When",
      head: true,
      sort: (one) => one.height,
      cell: (one) => (one.time_ms === null ? one.height : time(one.time_ms)),
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
      cell: (one) => h("a", { href: `#/commit/${one.height}` }, count(one.height)),
    },
  ];
  const list = table({ caption: `Payments of task ${task}`, columns, rows: paid, pageRows: 20 });
  return h(
    "details",
    { "data-keep": "payments" },
    h("summary", {}, `${count(paid.length)} payments`),
    list,
  );
}

/** Return the faults that a participant is accused of, each with its evidence on the chain. */
export function faultsCard({ history, standing }) {
  const hint =
    "Only what anybody can prove by replaying the chain is a fault; low quality never is. Stake is asked for after 64 commits, " +
    "in which the accused can appeal and the validators vote.";
  const faults = history?.faults ?? [];
  if (!faults.length) {
    const isKnown = history !== null || standing !== null;
    return section(
      "Faults",
      hint,
      h("p", { class: "muted" }, isKnown ? "None in this task." : "This node knows of none."),
    );
  }
  const columns = [
    { label: "Fault", head: true, cell: (one) => badge(one.fault, "bad") },
    { label: "Round", number: true, sort: (one) => one.round, cell: (one) => one.round },
    {
      label: "Stake asked",
      number: true,
      cell: (one) => (one.basis_points ? `${one.basis_points / 100} %` : "none"),
    },
    {
      label: "Where that stands",
      cell: (one) =>
        one.dispute
          ? `${disputeWords(one.dispute)} (until height ${count(one.dispute.until)})`
          : disputeWords(null),
    },
    { label: "Costs by the rules", cell: (one) => costOf(one.fault) || "–" },
    { label: "Evidence", cell: evidence },
  ];
  return section(
    "Faults",
    hint,
    table({ caption: "Faults in this task", columns, rows: faults, pageRows: 20 }),
  );
}

function evidence({ height, receipt_index: receipt, event_index: event }) {
  return h(
    "a",
    { href: `#/commit/${height}` },
    `commit ${height}, receipt ${receipt}, event ${event}`,
  );
}

function moved({ hasMoved, before, after }) {
  if (!hasMoved) return "not judged";
  return before === null ? "not known here" : step(before, after) || "several at once";
}

/** Return what a participant did in each round of a task, and what that did to its trust. */
export function roundsCard({ history, task }) {
  const steps = course(history).reverse();
  const notice =
    history && !history.is_complete
      ? "Older rounds, payments or faults are left out: this node does not keep them all."
      : null;
  return section(
    "Round by round",
    notice,
    table({
      caption: "Rounds, newest first",
      columns: roundColumns(task),
      rows: steps,
      pageRows: 20,
      empty: "It has taken part in no round that this node knows of.",
    }),
  );
}

function roundColumns(task) {
  return [
    {
      label: "Round",
      head: true,
      sort: (one) => one.round,
      cell: (one) => h("a", { href: `#/round/${task}/${one.round}` }, `Round ${one.round}`),
    },
    {
      label: "Its update",
      cell: (one) =>
        one.verdict === null ? "none" : badge(verdictName(one.verdict), verdictTone(one.verdict)),
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
      sort: (one) => Number(one.weight ?? 0),
      cell: (one) => (Number(one.weight ?? 0) ? share(one.weight) : "–"),
    },
    {
      label: "Trust after",
      number: true,
      sort: (one) => one.after ?? -1,
      cell: (one) => (one.after === null ? "–" : fraction(one.after)),
    },
    { label: "Why it moved", cell: (one) => h("span", { class: "sentence" }, moved(one)) },
    {
      label: "Earned by training",
      number: true,
      sort: (one) => BigInt(one.earned ?? 0),
      cell: (one) => (one.earned === null ? "–" : amount(one.earned)),
    },
    {
      label: "By validating",
      number: true,
      sort: (one) => BigInt(one.paid),
      cell: (one) => (Number(one.paid) ? amount(one.paid) : "–"),
    },
  ];
}
