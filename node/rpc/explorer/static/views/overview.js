import { get, getOrNull } from "../api.js";
import { h, replace, replaceKeeping } from "../dom.js";
import { ago, badge, clip, count, duration, time, words } from "../format.js";
import { every, gathered } from "../pace.js";
import { PHASES, phaseWords } from "../parts/course.js";
import { live } from "../parts/live.js";
import { change } from "../parts/numbers.js";
import { nothing } from "../parts/states.js";
import { nodeNow, readings, watchPulse, wellness } from "../pulse.js";
import { onState } from "../stream.js";

const TASKS_SHOWN = 6;
const TASKS_EVERY_MS = 3_000;

export function title() {
  return "Overview";
}

/** Show in plain words whether the chain is well, what is trained now, and the newest models. */
export async function show(params, { signal, root, json }) {
  json([
    ["status", "/v1/status"],
    ["tasks", "/v1/tasks"],
    ["validators", "/v1/validators"],
  ]);
  const health = h("div", { class: "stack" });
  const tasks = h("div", { class: "view" });
  const now = h("div", { class: "stack" }, [
    section("health-title", "Is the chain well?", health),
    h("h2", {}, "What is trained"),
    tasks,
  ]);
  const aside = section("about-title", "What you see here", about());
  replace(root, h("div", { class: "beside" }, now, aside));
  const pulse = watchHealth(health, signal);
  live({
    root: tasks,
    signal,
    read: taskReader(signal),
    draw: (found) => {
      replaceKeeping(tasks, taskCards(found));
      tick(tasks, pulse);
    },
    follows: [["rounds", {}]],
    everyMs: TASKS_EVERY_MS,
  });
  every(1_000, () => tick(tasks, pulse), { signal });
}

function section(id, heading, ...children) {
  return h("section", { class: "card", "aria-labelledby": id }, h("h2", { id }, heading), children);
}

function watchHealth(root, signal) {
  const sentence = h("p", { class: "lead" });
  const figures = h("dl", { class: "figures" });
  const more = h("p", {}, h("a", { href: "#/chain" }, "Watch the chain grow"));
  replace(root, sentence, figures, more);
  let connection = "connecting";
  let said = "";
  const pulse = watchPulse({ signal, everyMs: 1_000 }, () => draw());
  const draw = () => {
    const [tone, text] = wellness(pulse, connection);
    if (text !== said) replace(sentence, badge(text, tone));
    said = text;
    replace(figures, healthFigures(pulse));
  };
  const redraw = gathered(draw, { everyMs: 1_000, signal });
  onState((next) => {
    connection = next;
    redraw();
  }, { signal });
  every(1_000, redraw, { signal });
  return pulse;
}

function healthFigures(pulse) {
  const now = readings(pulse);
  const seconds = now.headAgeMs === null ? "–" : ago(0, Math.floor(now.headAgeMs / 1_000) * 1_000);
  return [
    ["Newest commit", now.height < 0 ? "–" : count(now.height)],
    ["It came", seconds],
    ["Decisions are final after", now.finalityMs === null ? "–" : duration(now.finalityMs)],
    ["Transactions per second", now.transactionsPerS?.toFixed(1) ?? "–"],
    ["Nodes that this one talks to", pulse.status ? count(pulse.status.peers) : "–"],
  ].map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value)));
}

/** Return what reads the newest tasks; models are read again only for a new version. */
function taskReader(signal) {
  const models = new Map();
  let first = 0;
  const modelOf = async ({ task, version }) => {
    if (!version) return null;
    const held = models.get(task);
    if (held?.version === version) return held;
    const found = await getOrNull(`/v1/models/${task}?limit=1`, { signal });
    models.set(task, found?.versions[0] ?? null);
    return models.get(task);
  };
  const read = async (task) => {
    const path = `/v1/tasks/${task.task}/round`;
    const [running, model] = await Promise.all([
      task.is_closed ? null : getOrNull(path, { signal }),
      modelOf(task),
    ]);
    return { task, round: summaryOf(running?.round), model };
  };
  const newest = () => get(`/v1/tasks?first=${first}&limit=${TASKS_SHOWN}`, { signal });
  return async () => {
    let { count: size, tasks } = await newest();
    const wanted = Math.max(0, size - TASKS_SHOWN);
    if (wanted !== first) {
      first = wanted;
      ({ count: size, tasks } = await newest());
    }
    return { count: size, shown: await Promise.all(tasks.reverse().map(read)) };
  };
}

/** What the cards show of a round, so that nothing else makes them be drawn anew. */
function summaryOf(round) {
  if (!round) return null;
  const { number, phase, deadline_ms: deadline, updates, seats } = round;
  return {
    number,
    phase: phase.replace(/[_-]/g, " "),
    deadline,
    updates: updates.length,
    accepted: updates.filter((one) => one.verdict === "accepted").length,
    scored: seats.filter((one) => one.has_committed).length,
    seats: seats.length,
  };
}

function taskCards({ count: size, shown }) {
  if (!size) {
    return nothing(
      "No task has been offered on this chain yet.",
      "A task says which model is to learn what, and pays for it. An organisation with money on " +
        "the chain offers one with the command: hanse task create",
    );
  }
  const all = size > shown.length ? `All ${count(size)} tasks` : "All tasks with their terms";
  return [
    h("div", { class: "cards" }, shown.map(taskCard)),
    h("p", {}, h("a", { href: "#/tasks" }, all)),
  ];
}

function taskCard({ task, round, model }) {
  const href = `#/task/${task.task}`;
  const offerer = words(task.organisation || "an account without a name", { cut: 60 });
  return h(
    "section",
    { class: "card", "aria-label": `Task ${task.task}` },
    h("h3", {}, h("a", { href }, h("bdi", {}, clip(task.title || `Task ${task.task}`, 100)))),
    h("div", { class: "muted" }, "Offered by ", offerer),
    stateOf(task, round),
    newestModel(task, model),
  );
}

function stateOf(task, round) {
  if (!round) return h("p", {}, badge(...restOf(task)));
  const { title: name, text } = phaseWords(round.phase);
  const place = PHASES.findIndex(([phase]) => phase === round.phase) + 1;
  const href = `#/round/${task.task}/${round.number}`;
  return [
    h(
      "p",
      { class: "row" },
      badge(name, "busy"),
      h("a", { href }, `Round ${count(round.number)}`),
      h("span", { class: "muted" }, `phase ${place} of ${PHASES.length}`),
    ),
    h("p", {}, text),
    h("p", {}, progress(round), " ", h("span", { class: "countdown", "data-until": round.deadline })),
  ];
}

function restOf({ is_closed: isClosed, is_closing: isClosing, escrow, terms }) {
  if (isClosed) return ["closed: it trains no more", "plain"];
  if (isClosing) return ["closing: no further round begins", "plain"];
  const isPaid = BigInt(escrow) >= BigInt(terms.reward);
  if (!isPaid) return ["resting: the money put aside does not reach for a round", "warn"];
  return ["between two rounds", "busy"];
}

function progress({ phase, updates, accepted, scored, seats }) {
  const some = `${count(updates)} ${updates === 1 ? "update" : "updates"}`;
  if (["commit", "reveal", "availability"].includes(phase)) return `${some} so far.`;
  if (phase === "score commit") {
    return `${some}; ${count(scored)} of ${count(seats)} validators have sealed their scores.`;
  }
  if (phase === "score reveal") return `${some} were scored.`;
  return `${count(accepted)} of ${some} were accepted.`;
}

function newestModel(task, model) {
  if (!task.version) {
    const first = "Newest model: the one that training began with; no round has improved it yet.";
    return h("p", {}, first);
  }
  const href = `#/model/${task.task}/${task.version}`;
  const link = h("a", { href }, `version ${count(task.version)}`);
  if (!model) return h("p", {}, "Newest model: ", link, ".");
  const size = model.contributors.length;
  const makers = `${count(size)} ${size === 1 ? "participant" : "participants"}`;
  const made = h("a", { href: `#/round/${task.task}/${model.round}` }, `round ${count(model.round)}`);
  const origin = [link, `, made by ${makers} in `, made, ", ", time(model.time_ms), ". "];
  return h("p", {}, "Newest model: ", origin, measured(model));
}

function measured({ changes }) {
  if (!changes?.length) return null;
  return `By the validators' measure its loss changed by ${change(changes[0])}; less is better.`;
}

/** The clock of the chain counts, for its deadlines are by it. */
function tick(root, pulse) {
  const now = nodeNow(pulse);
  if (now === null) return;
  for (const one of root.querySelectorAll(".countdown")) {
    const left = Number(one.dataset.until) - now;
    const whole = Math.ceil(left / 1_000) * 1_000;
    const text = left > 0 ? `At most ${duration(whole)} more.` : "About to end.";
    if (one.textContent !== text) one.textContent = text;
  }
}

function about() {
  return [
    h(
      "p",
      {},
      "Several organisations improve one model together, and nobody's examples leave the house. Each " +
        "trains at home and hands in only what its model learned, an update. Validators, chosen by " +
        "stake, test every update on examples of their own. What helps is combined into the next " +
        "version; what harms is turned away, with a reason that you can read here.",
    ),
    h(
      "p",
      {},
      "All of this is written down on a chain that no participant can change alone. What is final " +
        "stays so, and every version of a model can be traced to who made it and why.",
    ),
    h(
      "ul",
      { class: "ways" },
      [
        ["#/tasks", "Tasks", "what is trained, each round and why updates were accepted or rejected"],
        ["#/participants", "Participants", "who takes part, how they are trusted, what they earned"],
        ["#/validators", "Validators", "who decides, and with how much power"],
        ["#/chain", "Chain", "how decisions come about, commit by commit"],
        ["#/contracts", "Contracts", "the rules, as programs"],
      ].map(([href, name, text]) => h("li", {}, h("a", { href }, name), `: ${text}`)),
    ),
  ];
}
