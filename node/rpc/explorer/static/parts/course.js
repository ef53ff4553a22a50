/**
 * What a round does and how it ended, in words: phases, the guard, the ladder, null rounds. Pure.
 */

import { change, counted, nats } from "./numbers.js";

/** The phases in order: the chain's name, a title, and what happens in it. */
export const PHASES = [
  [
    "commit",
    "Training",
    "Trainers learn from their own data and promise an update by its fingerprint; nobody can see or copy it.",
  ],
  [
    "reveal",
    "Showing",
    "Trainers name the files that they promised; only the validators can read them.",
  ],
  ["availability", "Fetching", "Validators fetch the files and confirm that they hold them."],
  [
    "score commit",
    "Scoring",
    "Each validator measures every update on examples that only it holds, and seals its scores.",
  ],
  [
    "score reveal",
    "Opening the scores",
    "The sealed scores are opened; sealed, because nobody should copy another's.",
  ],
  [
    "select",
    "Selecting",
    "The contract takes the median score of each update and decides which count, and with which weight.",
  ],
  [
    "aggregate",
    "Combining",
    "Every validator computes the new model from the accepted updates and votes for its fingerprint.",
  ],
  [
    "guard",
    "Guarding",
    "Validators measure the new model; it must not be worse than the task allows, overall or for a class.",
  ],
  [
    "settle",
    "Settling",
    "Rewards are credited, validators paid, bonds returned, reputations moved.",
  ],
];
const STEPWISE = ["select", "settle"];
const BY_NAME = new Map(PHASES.map(([name, title, text]) => [name, { title, text }]));

/** Returns the title of a phase and a sentence about it. */
export function phaseWords(name) {
  return BY_NAME.get(name) ?? { title: name, text: "" };
}

/**
 * Puts entries of phases into stretches: each with its end and how long it took, null if unknown.
 *
 * @param {{phase: string, time_ms: ?number, deadline_ms: number}[]} entries in order
 * @param {?number} endMs when the round ended, in chain time; null while it runs
 */
export function stretches(entries, endMs) {
  return entries.map((entry, place) => {
    const isLast = place === entries.length - 1;
    const end = isLast ? endMs : entries[place + 1].time_ms;
    const isKnown = entry.time_ms !== null && end !== null;
    const isStepwise = STEPWISE.includes(entry.phase);
    return {
      ...entry,
      end_ms: end,
      took_ms: isKnown ? Math.max(0, end - entry.time_ms) : null,
      allowed_ms: isStepwise || entry.time_ms === null ? null : entry.deadline_ms - entry.time_ms,
      isRunning: isLast && endMs === null,
      // The ladder comes back to phases that the round has been in before.
      times: entries.slice(0, place).filter(({ phase }) => phase === entry.phase).length + 1,
    };
  });
}

/** Says how a phase ended: with everybody done, or by its deadline. */
export function endedHow({ took_ms, allowed_ms, isRunning }) {
  if (isRunning) return "under way";
  if (took_ms === null) return "";
  if (allowed_ms === null) return "no deadline: goes by steps";
  return took_ms < allowed_ms ? "ended early: all had acted" : "ended by its deadline";
}

/** Returns the name of a measure of the guard as people read it, from the name in the API. */
export function measureName(name) {
  if (name === "loss") return "loss on all examples";
  const [sort, ...rest] = String(name).split(":");
  const of = rest.join(":");
  if (sort === "class") return `loss on class “${of}”`;
  if (sort === "probe") return `loss on trigger texts, set ${Number(of) + 1}`;
  return String(name);
}

/** Says in a sentence what the guard found at one rung. */
export function guardSentence(rung, judgement) {
  const { guard_names: names, guard_bounds: bounds } = judgement;
  if (rung.result === "no_quorum_of_votes") return "The guard did not come to it.";
  if (rung.result === "no_quorum_of_reports") {
    return "Not passed: validators with less than two thirds of the power reported in time.";
  }
  if (!rung.medians) {
    const isOver = rung.result !== "running";
    return isOver ? "What the validators reported is not known to this node." : "No report yet.";
  }
  const loss = `the loss changed by ${change(rung.medians[0])}; it may rise by ${nats(bounds[0])}`;
  if (rung.result === "running") return `So far ${loss}.`;
  const broken = rung.medians.flatMap((median, n) =>
    Number(median) > Number(bounds[n]) ? [n] : [],
  );
  if (broken.length === 0) return `Passed: ${loss}.`;
  const [first] = broken;
  const rise = `${measureName(names[first])} rose by ${nats(rung.medians[first])}`;
  const others =
    broken.length > 1
      ? `, and ${counted(broken.length - 1, "other measure")} too much as well`
      : "";
  return `Refused: the ${rise}, more than the ${nats(bounds[first])} that the task allows${others}.`;
}

const RUNG_ENDS = {
  running: "under way",
  committed: "two thirds computed the same model, and the guard let it pass",
  refused: "the guard refused the combined model",
  no_quorum_of_votes: "no two thirds of the power voted for one and the same model",
  no_quorum_of_reports: "no two thirds of the power reported what the guard asks",
  unknown: "what became of it is not known to this node",
};

const STEPS = { 1: "half", 2: "a quarter" };

/** Returns one rung of the ladder in a sentence. */
export function rungSentence({ rung, halvings, weights, dropped, result }) {
  const used = weights.filter((weight) => Number(weight) > 0).length;
  const end = RUNG_ENDS[result] ?? result;
  if (rung === 0) return `First try, with ${counted(used, "accepted update")}: ${end}.`;
  const step = halvings === 0 ? "" : ` at ${STEPS[halvings] ?? `1/${2 ** halvings}`} of the step,`;
  const gone = dropped.length
    ? ` without ${counted(dropped.length, "weak update")} more (${dropped.map((index) => `update ${index}`).join(", ")}),`
    : "";
  return `Try ${rung + 1},${step}${gone} with ${counted(used, "update")}: ${end}.`;
}

const CAUSES = {
  commit: "no trainer promised an update in time",
  reveal: "no trainer showed the update that it had promised",
  availability: "no update was held by validators with two thirds of the power",
  "score commit": "validators with two thirds of the power did not hand in scores",
  "score reveal": "validators with two thirds of the power did not open their scores",
  select: "no update helped enough to be accepted",
  aggregate: "no two thirds of the power voted for one and the same combined model",
  guard: "the guard refused every combined model",
};

/**
 * Says why a round made no model.
 *
 * @param {{phase: string}[]} entries of its phases in order
 */
export function nullCause(entries) {
  const last = entries.filter((entry) => entry.phase !== "settle").at(-1);
  return CAUSES[last?.phase] ?? "the reason is no longer kept by this node";
}

/** Says how a round ended, with what it means where it made no model. */
export function outcomeSentence({ outcome, version, accepted, updates, entries }) {
  if (outcome === "running") return "This round is running.";
  if (outcome === "committed") {
    const made =
      version === null ? "a new version of the model" : `version ${version} of the model`;
    return `It made ${made} from ${accepted} of ${counted(updates, "update")}.`;
  }
  const cause = nullCause(entries);
  const stays =
    version === null ? "the model stays as it was" : `the model stays version ${version}`;
  return (
    `${cause[0].toUpperCase()}${cause.slice(1)}. Nothing is lost: ${stays}, bonds return but for ` +
    "those of proven faults, and the unspent reward goes back to the task."
  );
}

const PURPOSES = {
  bond: "bond returned",
  reward: "reward claimed",
  validation: "validating and holding files",
  escrow: "money of the task returned",
};

/** Returns what a payment is for. */
export function purposeWords(purpose) {
  return PURPOSES[purpose] ?? purpose;
}
