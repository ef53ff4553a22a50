import { get, getOrNull } from "../api.js";
import { h, replace, replaceKeeping } from "../dom.js";
import { amount, badge, clip, count, score, time } from "../format.js";
import { outcomeSentence, phaseWords } from "../parts/course.js";
import { ladder } from "../parts/ladder.js";
import { live } from "../parts/live.js";
import { money, slashes } from "../parts/money.js";
import { names } from "../parts/names.js";
import { numbered } from "../parts/numbered.js";
import { updateCards, updates } from "../parts/round_updates.js";
import { seats } from "../parts/seats.js";
import { figures, section } from "../parts/section.js";
import { tick, timeline } from "../parts/timeline.js";
import { every, frame, sliced } from "../pace.js";
import { nodeNow, watchPulse } from "../pulse.js";

const OPEN_MAX = 8;

/** Return the title of the view. */
export function title({ task, round }) {
  return `Round ${round} of task ${task}`;
}

/** Show a round from its opening to its settlement, live while it runs. */
export async function show({ task, round }, { signal, root, json }) {
  const about = `/v1/tasks/${encodeURIComponent(task)}`;
  const path = `${about}/rounds/${encodeURIComponent(round)}`;
  json([
    ["judgement", `${path}/judgement`],
    ["events", path],
    ["task", about],
  ]);
  const around = surroundings({ about, path, signal });
  const cards = { opened: new Set(), met: new Set() };
  const places = SECTIONS.map(() => h("div", { class: "slot" }));
  let seen = null;
  const now = chainClock(signal, () => again());
  const again = live({
    root,
    signal,
    follows: [
      ["rounds", { task: numbered(task) }],
      ["commits", {}],
    ],
    matters: (notice) => matters(notice, seen),
    everyMs: 2_000,
    read: async () => {
      const judgement = await get(`${path}/judgement`, { signal });
      const found = await around(judgement);
      return { judgement, ...found, isClockKnown: now.ms() !== null };
    },
    draw: async ({ judgement, phases, sealed, endMs, described, known }) => {
      openFirst(judgement.updates, cards);
      seen = judgement;
      if (judgement.outcome === "running") now.start();
      const all = {
        judgement,
        phases,
        sealed,
        endMs,
        task: described,
        names: new Map(known),
        opened: cards.opened,
        nowMs: now.ms(),
      };
      if (!places[0].isConnected) {
        const [way, left, right, ...rest] = places;
        replace(root, way, h("div", { class: "halves" }, left, right), rest);
      }
      await drawEach(root, { places, all, signal });
    },
  });
  every(1_000, () => tick(root, now.ms()), { signal });
}

/** Return the chain's time once started, null while it is not known: only what runs needs it. */
function chainClock(signal, onKnown) {
  let pulse = null;
  let isKnown = false;
  const ms = () => pulse && nodeNow(pulse);
  const note = () => {
    if (isKnown || ms() === null) return;
    isKnown = true;
    onKnown();
  };
  const start = () => {
    pulse ??= watchPulse({ signal }, note);
  };
  return { start, ms };
}

/** Open the updates of a small round once they are judged; what the reader closes stays closed. */
function openFirst(updates, { opened, met }) {
  if (updates.length > OPEN_MAX) return;
  const judged = updates.filter((one) => one.verdict !== "pending" && !met.has(one.index));
  for (const { index } of judged) {
    met.add(index);
    opened.add(index);
  }
}

/** Tell whether to look again: a round that is over stays as it is, and seats act without events. */
function matters(notice, seen) {
  if (seen && seen.outcome !== "running") return false;
  return notice.type === "round" || (notice.receipts > 0 && SILENT.includes(seen?.phase));
}

const SILENT = ["availability", "score commit", "score reveal", "aggregate", "guard"];

/** Return a reader of what stands around a judgement; it asks anew only once the round has moved. */
function surroundings({ about, path, signal }) {
  let last = { key: null, found: null };
  return async (judgement) => {
    const isRunning = judgement.outcome === "running";
    const key = `${judgement.outcome} ${judgement.phase} ${judgement.rungs.length}`;
    if (key !== last.key) {
      const [history, described, known] = await Promise.all([
        getOrNull(path, { signal }),
        get(about, { signal }),
        names(),
      ]);
      const end =
        isRunning || !history
          ? null
          : await getOrNull(`/v1/commits/${history.last_height}`, { signal });
      last = {
        key,
        found: {
          phases: history?.phases ?? [],
          endMs: end?.time_ms ?? null,
          described,
          known: [...known],
        },
      };
    }
    const running =
      judgement.phase === "score commit" ? await getOrNull(`${about}/round`, { signal }) : null;
    return { ...last.found, sealed: sealedIn(running, judgement) };
  };
}

/** Return the seats that have sealed scores, which only the running round tells. */
function sealedIn(running, { round }) {
  const seats = running?.round?.number === round ? running.round.seats : [];
  return seats.filter((seat) => seat.has_committed).map((seat) => seat.index);
}

function links({ judgement, task }) {
  const to = (number, text) => h("a", { href: `#/round/${judgement.task}/${number}` }, text);
  const isLast = judgement.round >= task.rounds - 1;
  return h("nav", { class: "row", "aria-label": "Rounds" }, [
    h(
      "a",
      { href: `#/task/${judgement.task}` },
      task.title ? `Task: ${clip(task.title, 60)}` : `Task ${judgement.task}`,
    ),
    judgement.round > 0 ? to(judgement.round - 1, "Previous round") : null,
    isLast ? null : to(judgement.round + 1, "Next round"),
  ]);
}

/** Draw one section after the other, so that the browser can show what is there and hear keys. */
async function drawEach(root, { places, all, signal }) {
  const step = sliced({ signal });
  root.setAttribute("aria-busy", "true");
  try {
    for (const [n, make] of SECTIONS.entries()) {
      replaceKeeping(places[n], await make(all, step));
      await frame({ signal });
    }
  } finally {
    root.removeAttribute("aria-busy");
  }
}

const SECTIONS = [links, outcome, course, updates, updateCards, guard, validators, faults];

async function outcome(around, step) {
  const first = head(around);
  await step();
  const { judgement } = around;
  return h("div", { class: "stack" }, [
    first,
    section("Money", "What this round paid, and what it set aside.", money(judgement, around)),
  ]);
}

function course(around) {
  return section(
    "Phases",
    "A round goes through these steps. Each has a deadline in chain time and ends early when all have acted.",
    phases(around),
  );
}

function validators(around) {
  return section(
    "Validators",
    "Each validator scores with examples that only it holds, its shard. Two thirds of the power decide.",
    seats(around.judgement, around),
  );
}

function faults(around) {
  const found = slashes(around.judgement.slashes, around);
  return (
    found &&
    section(
      "Faults",
      "Only what anybody can prove by replaying the chain is a fault; low quality never is.",
      found,
    )
  );
}

function head({ judgement, phases, task }) {
  const accepted = judgement.updates.filter((one) => Number(one.weight) > 0).length;
  const version =
    judgement.version ?? (judgement.outcome === "null" ? stayed(judgement, task) : null);
  const sentence = outcomeSentence({
    outcome: judgement.outcome,
    version,
    accepted,
    updates: judgement.updates.length,
    entries: phases,
  });
  const { title: name, text } = judgement.phase ? phaseWords(judgement.phase) : {};
  return section("What came of it", null, [
    h(
      "p",
      { class: "lead", role: "status" },
      OUTCOMES[judgement.outcome]?.() ?? null,
      " ",
      sentence,
    ),
    judgement.phase ? h("p", {}, h("strong", {}, `${name}: `), text) : null,
    judgement.version === null
      ? null
      : h(
          "p",
          {},
          h(
            "a",
            { href: `#/model/${judgement.task}/${judgement.version}` },
            `Version ${judgement.version} of the model`,
          ),
        ),
    figures([
      ["Updates", count(judgement.updates.length)],
      judgement.rungs.length || judgement.outcome !== "running"
        ? ["In the model", count(accepted)]
        : null,
      judgement.threshold === null ? null : ["Threshold", score(judgement.threshold)],
      ["Reward", amount(judgement.money.reward)],
    ]),
    judgement.source === "events" && judgement.outcome !== "running"
      ? h("p", { class: "callout tone-warn" }, UNWATCHED)
      : null,
  ]);
}

const UNWATCHED =
  "This node did not run, or no longer knows, when the round took place: verdicts and payments are from " +
  "the chain's record, single scores and reports are missing. Another node may have them.";
const OUTCOMES = {
  running: () => badge("running", "busy"),
  committed: () => badge("committed", "good"),
  null: () => badge("no new model", "warn"),
};

/** Return the version that a null round left in place, null where it cannot be told. */
function stayed(judgement, task) {
  return judgement.round === task.rounds - 1 ||
    (judgement.round === task.rounds - 2 && task.is_running)
    ? task.version
    : null;
}

function phases({ judgement, phases: entries, endMs: lastMs, nowMs }) {
  if (!entries.length)
    return h("p", { class: "muted" }, "This node no longer keeps when the phases began.");
  const settled = entries.find((one) => one.phase === "settle");
  const endMs =
    judgement.outcome === "running" ? null : (lastMs ?? settled?.time_ms ?? entries.at(-1).time_ms);
  return [
    entries[0].time_ms === null
      ? null
      : h("p", { class: "hint" }, "Opened ", time(entries[0].time_ms)),
    timeline(entries, { endMs, nowMs }),
  ];
}

function guard(around) {
  const { judgement } = around;
  const hint =
    "The accepted updates are combined, and the guard measures the result once more before it becomes the model. If it fails, " +
    "half of the step is tried, then a quarter, then a quarter without the weakest update and without the three weakest (the ladder); " +
    "after that the model stays as it was.";
  const text =
    judgement.outcome === "running"
      ? "The round has not come to it yet."
      : "The round ended before anything was combined.";
  const content = judgement.rungs.length
    ? ladder(judgement, around)
    : h("p", { class: "muted" }, text);
  return section("Combining and guard", hint, content);
}
