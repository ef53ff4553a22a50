import { amount, count, duration, hash } from "../format.js";
import { phaseWords } from "./course.js";
import { nats } from "./numbers.js";
import { glossary } from "./section.js";

const WAITING = [
  "commit",
  "reveal",
  "availability",
  "score commit",
  "score reveal",
  "aggregate",
  "guard",
];
const NORM_ONE = 65_536;

/** Return the size of an update or a limit, given in parts of 65,536, as text. */
export function norm(parts) {
  return (Number(parts) / NORM_ONE).toLocaleString("en", { maximumSignificantDigits: 4 });
}

/** Return the terms of a task in plain words, with the exact numbers. */
export function terms({ terms: given, clip }) {
  return glossary([
    [
      "Reward of a round",
      amount(given.reward),
      "48 % go to the trainers, 48 % to the validators, 4 % to those who hold the files.",
    ],
    [
      "Bond of an update",
      amount(given.bond),
      "Put down with each update. It comes back, but for proven faults; low quality is none.",
    ],
    [
      "Most for one trainer",
      `${given.identity_percent} % of the trainers' part`,
      "What would be above it is burned, so that crowding a round does not pay.",
    ],
    ["Updates in a round", `at most ${count(given.slots)}`, ready(given)],
    ...judging({ terms: given, clip }),
  ]);
}

function judging({ terms: given, clip }) {
  const [loss, ...others] = given.guard_bounds;
  return [
    [
      "Least gain",
      nats(given.epsilon),
      "An update must lower the loss by more than this, than a quarter of what a good update of its round gains, and than a 64th of the best round so far.",
    ],
    [
      "Narrowest band",
      nats(given.band_min),
      "Scores further from the median than the band are cut to it, so that no liar moves the result.",
    ],
    [
      "Harm",
      nats(given.harm),
      "An update that costs more than this beyond doubt, in 3 of its last 5 rounds, is a fault: 2 % of the stake and 20 rounds of quarantine.",
    ],
    [
      "Size limit of updates",
      norm(clip),
      `Larger updates are scaled down to it. It follows the accepted ones and never falls below ${norm(given.clip_min)}.`,
    ],
    [
      "Guard: overall loss",
      `may rise by ${nats(loss)}`,
      "A new model that is worse than this by the median validator is refused.",
    ],
    others.length
      ? [
          "Guard: classes and probes",
          bounds(others),
          "The same for each class, and for texts with a trigger, so that no group is harmed behind a good average.",
        ]
      : null,
    [
      "Time of each phase",
      windows(given.windows),
      "At most; a phase ends early when everybody who can act has acted.",
    ],
    [
      "Document",
      hash(given.document),
      "The file that says what is trained, from which model, and how updates are combined.",
    ],
  ];
}

function ready({ ready: count_, slots }) {
  if (!count_)
    return `Training always lasts its whole time. With more than ${slots}, better reputations come first.`;
  return `Training ends early once there are ${count_}.`;
}

function bounds(values) {
  const all = [...new Set(values)];
  const each = all.map(nats).join(", ");
  return all.length === 1
    ? `${values.length} measures, each may rise by ${each}`
    : values.map(nats).join(", ");
}

function windows(values) {
  return WAITING.map(
    (phase, n) => `${phaseWords(phase).title.toLowerCase()} ${duration(values[n])}`,
  ).join(", ");
}
