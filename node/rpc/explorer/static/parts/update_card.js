import { h, replace } from "../dom.js";
import { address, amount, badge, hash, score, share } from "../format.js";
import { signed } from "./numbers.js";
import { scoreStrip } from "./score_strip.js";
import { table } from "./table.js";
import { norm } from "./terms.js";
import { cutToBand, explain, thresholdRule, verdictName, verdictTone } from "./verdict.js";

const FILES = { valid: "valid", malformed: "broken", replay: "a repetition" };

/**
 * Return an update as a disclosure: what became of it and why in one sentence, and behind it every
 * validator's score. What is behind is made when it is opened; `opened` remembers which are.
 */
export function updateCard(update, { judgement, task, names, opened }) {
  const found = explain(update, judgement);
  const inside = h("div", { class: "stack" });
  const fill = () => {
    if (!inside.childNodes.length)
      replace(inside, details(update, { judgement, task, names, found }));
  };
  const isOpen = opened.has(update.index);
  if (isOpen) fill();
  const toggled = (event) => {
    if (event.target.open) {
      opened.add(update.index);
      fill();
    } else {
      opened.delete(update.index);
    }
  };
  return h(
    "details",
    { class: "update", open: isOpen, on: { toggle: toggled } },
    h("summary", { "data-keep": `update-${update.index}` }, [
      h("span", { class: "row" }, [
        h("strong", {}, `Update ${update.index}`),
        h("bdi", { class: "name" }, nameOf(update.trainer, names)),
        badge(verdictName(update.verdict), verdictTone(update.verdict)),
      ]),
      h("span", { class: "why" }, found.sentence),
    ]),
    inside,
  );
}

/** Return the name of a participant as text, or the ends of its address. */
export function nameOf(did, names) {
  return names.get(did)?.slice(0, 60) ?? `${did.slice(0, 16)}…${did.slice(-6)}`;
}

function details(update, { judgement, task, names, found }) {
  const isScored = update.score !== null && update.band !== null && update.scores.length > 0;
  const threshold = update.reason?.threshold ?? judgement.threshold;
  return [
    found.more.length ? h("p", {}, found.more.join(" ")) : null,
    isScored
      ? scoreStrip({
          scores: update.scores,
          score: update.score,
          band: update.band,
          threshold,
        })
      : null,
    facts(update, { judgement, task, names, threshold }),
    update.scores.length ? scores(update, { judgement, names }) : unscored(judgement),
  ];
}

function unscored(judgement) {
  const isGone = judgement.source === "events" && judgement.outcome !== "running";
  const text = isGone
    ? "This node did not watch the round, so it knows no single scores. Ask a node that ran then."
    : "No validator has opened its scores of this update.";
  return h("p", { class: "muted" }, text);
}

function facts(update, { judgement, task, names, threshold }) {
  const limit =
    threshold === null ? null : { threshold, level: judgement.level, epsilon: task.terms.epsilon };
  return h("dl", { class: "facts" }, [
    fact("Trainer", address(update.trainer, names, { view: "participant" })),
    update.score === null
      ? null
      : fact("Median of the scores", score(update.score), "weighted by the validators' power"),
    update.band === null
      ? null
      : fact(
          "Band",
          `±${score(update.band).slice(1)}`,
          "three times the middle distance from the median; scores further out are cut to it",
        ),
    limit ? fact("Threshold", score(threshold), thresholdRule(limit)) : null,
    update.norm === null ? null : fact("Size", norm(update.norm), sized(update, judgement)),
    Number(update.weight)
      ? fact(
          "Weight in the new model",
          share(update.weight),
          "all weights make 100 %; quality alone at most doubles one",
        )
      : null,
    update.left_out === null
      ? null
      : fact(
          "Without it",
          score(update.left_out),
          "what the others together would lack without it",
        ),
    Number(update.earned ?? 0) === 0
      ? null
      : fact("Earned", amount(update.earned), "vests over the next seven scored rounds"),
    fact("Bond", BONDS[update.bond] ?? update.bond),
    update.root ? fact("File", hash(update.root)) : null,
  ]);
}

const BONDS = { returned: "came back", burned: "burned", held: "held until the round is settled" };

function fact(label, value, note) {
  return h(
    "div",
    {},
    h("dt", {}, label),
    h("dd", {}, value, note && h("span", { class: "hint" }, ` (${note})`)),
  );
}

function sized(update, { clip }) {
  if (clip === null) return null;
  const limit = norm(clip);
  return update.is_clipped
    ? `larger than the limit ${limit}, so it was scaled down to it`
    : `within the limit ${limit}`;
}

function scores(update, { judgement, names }) {
  const seats = new Map(judgement.seats.map((seat) => [seat.seat, seat]));
  const isJudged = update.score !== null && update.band !== null;
  const counted = ({ alone }) => {
    const { value, isCut } = cutToBand(alone, update);
    return isCut ? `${signed(value)}, cut` : signed(value);
  };
  const columns = [
    {
      label: "Validator",
      head: true,
      cell: (one) => address(seats.get(one.seat)?.validator, names, { view: "participant" }),
    },
    {
      label: "Its score",
      number: true,
      sort: (one) => Number(one.alone),
      cell: (one) => signed(one.alone),
    },
    isJudged ? { label: "Counts as", number: true, cell: counted } : null,
    { label: "The loss", cell: (one) => effect(Number(one.alone)) },
    {
      label: "Without it",
      number: true,
      sort: (one) => Number(one.left_out),
      cell: (one) => signed(one.left_out),
    },
    { label: "The file is", cell: (one) => FILES[one.verdict] ?? one.verdict },
  ];
  return table({
    caption: `Update ${update.index}: scores of each validator in nats; above zero the loss on its shard fell`,
    columns: columns.filter(Boolean),
    rows: update.scores,
    pageRows: 16,
  });
}

function effect(alone) {
  if (alone === 0) return "no change";
  return alone > 0 ? "fell: helped" : "rose: harmed";
}
