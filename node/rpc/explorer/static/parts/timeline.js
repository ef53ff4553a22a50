import { h } from "../dom.js";
import { count, duration, time } from "../format.js";
import { endedHow, phaseWords, stretches } from "./course.js";

const BAR_MIN_PERCENT = 0.6;

/**
 * Return the phases of a round as an ordered list: what happens in each, how long it took of what
 * it was given, and a bar that shows where in the round it lay.
 *
 * `entries` are as in the history of a round; `endMs` is when it ended, null while it runs, and
 * `nowMs` the chain's time by then, null while it is not known: then nothing is said of what is left.
 */
export function timeline(entries, { endMs, nowMs }) {
  const found = stretches(entries, endMs);
  const start = found[0]?.time_ms ?? null;
  const end = Math.max(endMs ?? nowMs ?? 0, found.at(-1)?.end_ms ?? found.at(-1)?.time_ms ?? 0);
  const scale = { start, end, length: start === null ? 0 : Math.max(1, end - start), nowMs };
  return h(
    "ol",
    { class: "timeline" },
    found.map((one) => entry(one, scale)),
  );
}

function entry(one, scale) {
  const { title, text } = phaseWords(one.phase);
  const again = one.times > 1 ? ` (try ${one.times})` : "";
  return h(
    "li",
    { class: one.isRunning ? "running" : null, "aria-current": one.isRunning ? "step" : null },
    h("div", { class: "row between" }, [
      h("strong", {}, title, again),
      h("span", { class: "number" }, one.isRunning ? clock(one, scale) : took(one)),
    ]),
    bar(one, scale),
    h("p", { class: "hint" }, again ? null : `${text} `, note(one)),
  );
}

function took({ took_ms, allowed_ms }) {
  if (took_ms === null) return "time not kept";
  return allowed_ms === null
    ? duration(took_ms)
    : `${duration(took_ms)} of at most ${duration(allowed_ms)}`;
}

/** Return a text that `tick` turns into the time that is left. */
function clock({ deadline_ms, allowed_ms }, { nowMs }) {
  if (allowed_ms === null) return "under way";
  return h(
    "span",
    { class: "countdown", "data-deadline": deadline_ms },
    nowMs === null ? null : leftText(deadline_ms - nowMs),
  );
}

/** Bring the clocks below a node up to date by the chain's time, for deadlines are by it. */
export function tick(root, nowMs) {
  if (nowMs === null) return;
  for (const one of root.querySelectorAll(".countdown")) {
    one.textContent = leftText(Number(one.dataset.deadline) - nowMs);
  }
}

function leftText(left) {
  return left > 0
    ? `at most ${duration(Math.ceil(left / 1_000) * 1_000)} left`
    : "its time is over";
}

function note(one) {
  const how = endedHow(one);
  const began = one.time_ms === null ? null : ["Began ", time(one.time_ms)];
  const at = h("a", { href: `#/commit/${one.height}` }, `height ${count(one.height)}`);
  return [began ?? "Began", " at ", at, how ? `; ${how}.` : "."];
}

function bar(one, { start, end, length }) {
  if (one.time_ms === null || start === null) return null;
  const from = (100 * (one.time_ms - start)) / length;
  const span = (100 * ((one.end_ms ?? end) - one.time_ms)) / length;
  const width = Math.min(
    Math.max(span, BAR_MIN_PERCENT),
    100 - Math.min(from, 100 - BAR_MIN_PERCENT),
  );
  const fill = h("span", {
    class: "timeline-fill",
    style: {
      "inset-inline-start": `${Math.min(from, 100 - BAR_MIN_PERCENT)}%`,
      "inline-size": `${width}%`,
    },
  });
  return h("div", { class: "timeline-bar", "aria-hidden": "true" }, fill);
}
