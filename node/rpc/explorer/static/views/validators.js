import { get } from "../api.js";
import { h, replace } from "../dom.js";
import {
  address,
  badge,
  clip,
  count,
  duration,
  hanse,
  hash,
  percent,
  short,
  size,
  words,
} from "../format.js";
import { barChart } from "../parts/chart.js";
import { live } from "../parts/live.js";
import { everyone } from "../parts/names.js";
import { table } from "../parts/table.js";
import { every } from "../pace.js";

const READ_EVERY_MS = 10_000;
const BARS_MAX = 24;

export function title() {
  return "Validators";
}

/** Show who decides: power, presence and standing of the validators, and this node's peers. */
export async function show(params, { signal, root, json }) {
  json([
    ["validators", "/v1/validators"],
    ["participants", "/v1/participants"],
    ["peers", "/v1/peers"],
  ]);
  const validators = h("div", { class: "view" });
  const peers = h("div", { class: "view" });
  replace(root, validators, peers);
  const again = [
    live({ root: validators, signal, read: readValidators, draw: drawValidators() }),
    live({ root: peers, signal, read: readPeers, draw: drawPeers() }),
  ];
  every(READ_EVERY_MS, () => again.forEach((ask) => ask()), { signal });
}

async function readValidators(signal) {
  const found = await get("/v1/validators", { signal });
  const known = new Map();
  const { people } = await whatIsTold(everyone({ signal }), { people: [] });
  for (const one of people) known.set(one.address, one);
  const rows = found.validators.map((one) => {
    const { name, organisation, validator } = known.get(one.operator) ?? {};
    return { ...one, name: name || organisation || "", seen: validator ?? null };
  });
  return { epoch: found.epoch, total: found.power_total, rows };
}

/** Return what is promised, or something else from a node that cannot tell it, or not yet (503). */
async function whatIsTold(promise, otherwise) {
  try {
    return await promise;
  } catch (error) {
    if (error.status === 503) return otherwise;
    throw error;
  }
}

function drawValidators() {
  let parts = null;
  return (found, root) => {
    if (!parts) {
      parts = validatorParts();
      replace(root, parts.cards);
    }
    parts.update(found);
  };
}

function validatorParts() {
  let shown = { total: 0, epoch: 0 };
  const lead = h("p", { class: "lead" });
  const rest = h("p", { class: "muted" });
  const bars = barChart({
    title: "Voting power",
    description: "in the running epoch, and its share of the whole.",
    label: "Voting power of each validator",
    items: [],
    format: (value) => count(value),
    empty: "Nobody has a seat in this epoch.",
  });
  const list = table({
    caption: "All validators, in the order in which they came",
    columns: validatorColumns(() => shown),
    rows: [],
    keyOf: (row) => row.operator,
    empty: "The chain has no validators, which cannot be: is this node new?",
  });
  const update = (found) => {
    shown = found;
    lead.textContent = inWords(found);
    bars.update(powerBars(found));
    rest.textContent = restInWords(found);
    list.update(found.rows);
  };
  const cards = [
    h("section", { class: "card", "aria-label": "Power" }, [
      lead,
      bars,
      rest,
      h("p", { class: "hint" }, LAW),
    ]),
    h("section", { class: "card", "aria-labelledby": "list-title" }, [
      h("h2", { id: "list-title" }, "Who they are"),
      list,
      h("p", { class: "hint" }, UPTIME),
    ]),
  ];
  return { cards, update };
}

const LAW =
  "A commit is final once validators with more than two thirds of the power signed it. Whoever has " +
  "a third or more can therefore halt the chain, and nobody with less than a third can.";
const UPTIME =
  "Presence: the rounds of this epoch in which this node saw a block of the validator, of those of " +
  "the most present one. A jailed validator was away for too long and may ask to come back; a " +
  "banned one lied provably and never may.";

function inWords({ rows, epoch, total }) {
  const seated = rows.filter((one) => one.power > 0);
  const jailed = rows.filter((one) => one.standing !== "good").length;
  const out = jailed ? ` ${jailed} ${jailed === 1 ? "is" : "are"} jailed or banned.` : "";
  return `${seated.length} of ${rows.length} validators have a seat in epoch ${epoch}, with ${count(
    total,
  )} of power together.${out}`;
}

function powerBars({ rows, total }) {
  const seated = rows.filter((one) => one.power > 0).sort((one, other) => other.power - one.power);
  return seated.slice(0, BARS_MAX).map((one) => ({
    name: nameOf(one),
    value: one.power,
    note: `(${percent(one.power / total)})`,
  }));
}

/** What the bars leave out: many small ones would hide the few that matter. */
function restInWords({ rows, total }) {
  const powers = rows.map((one) => one.power).filter((power) => power > 0);
  const rest = powers.sort((one, other) => other - one).slice(BARS_MAX);
  if (!rest.length) return "";
  const share = percent(rest.reduce((sum, power) => sum + power, 0) / total);
  return `${rest.length} others with less have ${share} together; see the table.`;
}

function nameOf(one) {
  return one.name ? clip(one.name, 40) : short(one.operator, { head: 12 });
}

function validatorColumns(read) {
  const names = (one) => (one.name ? { [one.operator]: one.name } : null);
  return [
    {
      label: "Validator",
      head: true,
      cell: (one) => address(one.operator, names(one), { view: "participant" }),
      sort: (one) => one.name || one.operator,
    },
    { label: "Standing", cell: standing, sort: (one) => one.standing },
    {
      label: "Power",
      number: true,
      cell: (one) => (one.power ? `${count(one.power)} (${percent(one.power / read().total)})` : "–"),
      sort: (one) => one.power,
    },
    {
      label: "Stake (HANSE)",
      number: true,
      cell: (one) => hanse(one.stake),
      sort: (one) => BigInt(one.stake),
    },
    { label: "Presence", number: true, cell: presence, sort: (one) => present(one) ?? -1 },
    { label: "Seat", number: true, cell: (one) => one.seat ?? "none", sort: (one) => one.seat ?? -1 },
    { label: "Commission", number: true, cell: (one) => percent(one.commission_bp / 10_000) },
    { label: "Consensus key", cell: (one) => hash(one.consensus_key, { what: "key" }) },
  ];
}

function standing({ standing: word, release_epoch: release, power }) {
  if (word === "good") return power ? badge("good", "good") : badge("good, no seat yet", "plain");
  if (word === "jailed") return badge(`jailed, may return in epoch ${release}`, "warn");
  return badge("banned for ever", "bad");
}

function present({ seen }) {
  return seen?.rounds_most ? seen.rounds_attended / seen.rounds_most : null;
}

function presence(one) {
  const share = present(one);
  if (share === null) return "–";
  const title = `${count(one.seen.rounds_attended)} of ${count(one.seen.rounds_most)} rounds`;
  return h("span", { title }, percent(share));
}

async function readPeers(signal) {
  const found = await whatIsTold(get("/v1/peers", { signal }), null);
  // What changes with every packet would be drawn anew each time; ages and sizes to the minute do.
  const rounded = (one) => ({ ...one, age_ms: one.age_ms - (one.age_ms % 60_000) });
  return found && { ...found, peers: found.peers.map(rounded) };
}

function drawPeers() {
  let list = null;
  return (found, root) => {
    if (!list) {
      list = peerTable();
      replace(
        root,
        h("section", { class: "card", "aria-labelledby": "peers-title" }, [
          h("h2", { id: "peers-title" }, "Peers of this node"),
          list,
        ]),
      );
    }
    list.update(found?.peers ?? []);
  };
}

function peerTable() {
  const columns = [
    { label: "Peer", head: true, cell: (one) => hash(one.peer_id, { what: "peer id" }) },
    { label: "Address", cell: (one) => words(one.address, { cut: 60 }) },
    { label: "Who called", cell: (one) => (one.direction === "inbound" ? "it called" : "we called") },
    { label: "Software", cell: (one) => words(one.agent || "unknown", { cut: 40 }) },
    { label: "Connected", number: true, cell: connected, sort: (one) => one.age_ms },
    {
      label: "Round trip",
      number: true,
      cell: (one) => (one.round_trip_ms === null ? "–" : duration(one.round_trip_ms)),
      sort: (one) => one.round_trip_ms ?? Infinity,
    },
    bytes("Received", "received_bytes"),
    bytes("Sent", "sent_bytes"),
  ];
  const empty =
    "This node is connected to nobody. If that lasts, its operator should check its network and " +
    "the addresses of the others in its settings.";
  return table({ caption: "Connected now", columns, rows: [], empty, keyOf: (one) => one.peer_id });
}

function bytes(label, key) {
  return { label, number: true, cell: (one) => size(one[key]), sort: (one) => one[key] };
}

function connected({ age_ms: age }) {
  return age < 60_000 ? "under a minute" : duration(age);
}
