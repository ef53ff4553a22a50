/** How reputations move and what faults cost, in words; pure. Source: the rules of the chain. */

import { ONE } from "./numbers.js";

const STEP = 16;
export const INITIAL = 6_554;

/** The rule by which a reputation moves, exact. */
export const RULE = "new = old + ⌊(target − old) ÷ 16⌋, counted in parts of 1/65,536";

/** The three targets, and what faults do instead. */
export const RULE_NOTES = [
  "The target is 1 for an update whose score is at least the median of the accepted ones.",
  "The target is 0.5 for one below that median and above the threshold.",
  "The target is 0 for one that is not above the threshold.",
  "A proven fault has no target: a missing or broken update, and scores that were promised and not given, cut the reputation by an eighth; a copy or persistent harm halves it.",
  "A newcomer begins at 0.1000 (6,554 of 65,536).",
];

const TARGETS = [
  [ONE, "at least the median of the accepted: a sixteenth of the way to 1"],
  [ONE / 2, "accepted, below the median: a sixteenth of the way to 0.5"],
  [0, "not above the threshold: a sixteenth of the way to 0"],
];

/** Says which rule took a reputation, Q16, from one value to the next; empty if none did alone. */
export function step(before, after) {
  const from = Number(before);
  const to = Number(after);
  const found = TARGETS.find(([target]) => judged(from, target) === to);
  if (found) return found[1];
  if (cut(from, 1) === to) return "a fault: cut by an eighth";
  if (cut(from, 4) === to) return "a fault: halved";
  const isHarm = TARGETS.some(([target]) => cut(judged(from, target), 4) === to);
  return isHarm ? "persistent harm: judged, then halved" : "";
}

/** Returns the reputation after a judged update. */
export function judged(reputation, target) {
  return reputation + Math.floor((target - reputation) / STEP);
}

/** Returns the reputation after a fault that costs so many eighths. */
export function cut(reputation, eighths) {
  return reputation - Math.floor((reputation * eighths) / 8);
}

const COSTS = new Map([
  ["committed an update and did not reveal it", "the bond and an eighth of the reputation"],
  ["revealed a malformed or oversized blob", "the bond and an eighth of the reputation"],
  ["copied or replayed an update", "the bond, half of the reputation, 1 % of the stake"],
  [
    "harmed the model again and again",
    "half of the reputation, 2 % of the stake, and 20 rounds of quarantine",
  ],
  ["committed scores and did not reveal them", "an eighth of the reputation, 0.5 % of the stake"],
  ["voted for another aggregate than two thirds", "30 % of the stake"],
]);

/** Returns what a fault costs by the rules, empty for one that is not known here. */
export function costOf(fault) {
  return COSTS.get(fault) ?? "";
}

const STATES = {
  waiting: "waits for an appeal; nothing is taken yet",
  appealed: "the accused appeals; validators vote",
  slashed: "the stake was taken",
  lifted: "validators lifted it; nothing was taken",
};

/** Says where a request for stake stands. */
export function disputeWords(dispute) {
  return dispute ? (STATES[dispute.state] ?? dispute.state) : "no stake is asked for";
}
