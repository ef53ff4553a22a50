import { address, amount, badge, hash } from "../format.js";
import { powerShare } from "./numbers.js";
import { table } from "./table.js";

/** Return what every validator did in a round. */
export function seats(judgement, { names, sealed }) {
  const last = judgement.rungs.at(-1) ?? { votes: [], reports: [], aggregate: null };
  const votes = new Map(last.votes.map((vote) => [vote.seat, vote.hash]));
  const reported = new Set(last.reports.map((report) => report.seat));
  const columns = [
    {
      label: "Validator",
      head: true,
      cell: (one) => address(one.validator, names, { view: "participant" }),
    },
    {
      label: "Power",
      number: true,
      sort: (one) => BigInt(one.power),
      cell: (one) => share(one, judgement),
    },
    {
      label: "Updates held",
      number: true,
      sort: (one) => one.held.length,
      cell: (one) => `${one.held.length} of ${judgement.updates.length}`,
    },
    { label: "Scores", cell: (one) => scores(one, sealed) },
    { label: "Voted for", cell: (one) => vote(votes.get(one.seat), last.aggregate) },
    { label: "Guard", cell: (one) => (reported.has(one.seat) ? "reported" : "–") },
    {
      label: "Paid",
      number: true,
      sort: (one) => BigInt(one.paid ?? 0),
      cell: (one) => (one.paid === null ? "–" : amount(one.paid)),
    },
  ];
  return table({
    caption: "What each validator did",
    columns,
    rows: judgement.seats,
    pageRows: 16,
  });
}

function share({ power }, judgement) {
  return judgement.power === null ? power : powerShare(power, judgement.power);
}

function scores({ seat, has_revealed }, sealed) {
  if (has_revealed) return badge("opened", "good");
  return sealed.includes(seat) ? badge("sealed", "busy") : "–";
}

function vote(given, aggregate) {
  if (!given) return "–";
  if (aggregate === null || given === aggregate) return hash(given);
  return badge("another model than two thirds", "bad");
}
