import { h, replace } from "../dom.js";
import { address, amount, badge, clip, count } from "../format.js";
import { gathered } from "../pace.js";
import { live } from "../parts/live.js";
import { everyone } from "../parts/names.js";
import { section } from "../parts/section.js";
import { table } from "../parts/table.js";

/** Return the title of the view. */
export function title() {
  return "Participants";
}

/** Show everybody who trains, validates or has an identity, with search and sorting. */
export async function show(_params, { signal, root, json }) {
  json([["participants", "/v1/participants?limit=200"]]);
  let all = [];
  let known = 0;
  const list = table({
    caption: "Participants",
    columns: COLUMNS,
    rows: [],
    keyOf: (one) => one.address,
    empty: "Nobody is found. Try fewer letters, or a part of an address.",
  });
  const found = h("p", { class: "hint", role: "status" });
  const field = h("input", {
    type: "search",
    id: "participant-search",
    autocomplete: "off",
    maxlength: "200",
  });
  const draw = () => {
    const rows = matching(all, field.value);
    list.update(rows);
    replace(found, howMany({ shown: rows.length, held: all.length, known }));
  };
  field.addEventListener("input", gathered(draw, { everyMs: 150, signal }));
  live({
    root,
    signal,
    follows: [["rounds", {}]],
    matters: (notice) => notice.event?.event?.name === "RoundEnded",
    everyMs: 5_000,
    read: () => everyone({ signal }),
    draw: ({ count: total, people }) => {
      known = Math.max(total, people.length);
      all = people.map(withText);
      draw();
      if (list.isConnected) return;
      const label = h(
        "label",
        { for: "participant-search" },
        "Search by name, organisation, role or address",
      );
      replace(
        root,
        section("Who takes part", HINT, [
          h("div", { class: "stack tight" }, label, field, found),
          list,
        ]),
      );
    },
  });
}

const HINT =
  "Trainers improve the model with data that stay with them; validators judge updates and keep the chain, with a stake that " +
  "they lose if they cheat. One participant may be both.";

const COLUMNS = [
  { label: "Name", head: true, sort: (one) => one.sortName, cell: name },
  {
    label: "Organisation",
    sort: (one) => one.organisation,
    cell: (one) => plain(one.organisation),
  },
  { label: "Role", sort: (one) => one.role, cell: (one) => plain(one.role) },
  {
    label: "Validates",
    sort: (one) => one.validator?.standing ?? "",
    cell: ({ validator }) => (validator ? standing(validator) : "no"),
  },
  {
    label: "Stake",
    number: true,
    sort: (one) => BigInt(one.validator?.stake ?? 0),
    cell: ({ validator }) => (validator ? amount(validator.stake) : "–"),
  },
  {
    label: "Updates",
    number: true,
    sort: (one) => one.updates,
    cell: (one) => count(one.updates),
  },
  {
    label: "Accepted",
    number: true,
    sort: (one) => (one.updates ? one.accepted / one.updates : -1),
    cell: accepted,
  },
  {
    label: "Faults",
    number: true,
    sort: (one) => one.faults,
    cell: (one) => (one.faults ? badge(count(one.faults), "bad") : "0"),
  },
];

function howMany({ shown, held, known }) {
  const total = `${count(known)} ${known === 1 ? "participant" : "participants"}`;
  const part = shown === known ? total : `${count(shown)} of ${total}`;
  return held === known ? part : `${part}; only the first ${count(held)} are searched here`;
}

function withText(one) {
  const text = [one.name, one.organisation, one.role, one.address].join("\n").toLowerCase();
  return { ...one, text, sortName: (one.name || `\uffff${one.address}`).toLowerCase() };
}

function matching(all, query) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  return words.length ? all.filter((one) => words.every((word) => one.text.includes(word))) : all;
}

function name(one) {
  return address(one.address, one.name ? { [one.address]: one.name } : null, {
    view: "participant",
  });
}

function plain(text) {
  return text ? h("bdi", { class: "brief", title: clip(text, 500) }, clip(text, 40)) : "–";
}

function accepted({ updates, accepted: helped }) {
  return updates ? `${count(helped)} (${Math.round((100 * helped) / updates)} %)` : "–";
}

const STANDINGS = {
  good: ["yes, in good standing", "good"],
  jailed: ["jailed for now", "bad"],
  tombstoned: ["shut out for ever", "bad"],
};

/** Return how a validator stands, in words with a mark. */
export function standing({ standing: given }) {
  return badge(...(STANDINGS[given] ?? [given, "plain"]));
}
