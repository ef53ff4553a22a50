import { get, getOrNull } from "../api.js";
import { h, replace, replaceKeeping } from "../dom.js";
import { amount, clip, count, hash, words } from "../format.js";
import { faultsCard, rewardsCard, roundsCard, trustCard } from "../parts/participant_cards.js";
import { live } from "../parts/live.js";
import { offencesCard } from "../parts/offences.js";
import { figures, section } from "../parts/section.js";
import { nothing } from "../parts/states.js";
import { standing } from "./participants.js";

/** Return the title until the name is known. */
export function title({ address }) {
  return `Participant ${clip(address, 20)}`;
}

/** Show one participant: who it is, its trust, its money, and the faults that it is accused of. */
export async function show({ address }, { signal, root, heading, json }) {
  const path = `/v1/participants/${encodeURIComponent(address)}`;
  const place = { head: h("div", { class: "stack" }), tasks: h("div", { class: "stack" }) };
  let chosen = null;
  const read = async () => {
    const [one, identity, account, holdings] = await Promise.all([
      getOrNull(path, { signal }),
      get(`/v1/identities/${encodeURIComponent(address)}`, { signal }),
      getOrNull(`/v1/accounts/${encodeURIComponent(address)}`, { signal }),
      getOrNull(`/v1/accounts/${encodeURIComponent(address)}/holdings`, { signal }),
    ]);
    const tasks = one?.tasks ?? [];
    const task = tasks.includes(chosen) ? chosen : (tasks[0] ?? null);
    const part = task === null ? null : await readTask(task, { path, address, signal });
    return { one, identity, account, holdings, tasks, task, part };
  };
  const again = live({
    root,
    signal,
    read,
    follows: [["rounds", {}]],
    matters: (notice) => ["RoundEnded", "Paid"].includes(notice.event?.event?.name),
    everyMs: 3_000,
    draw: (found) => {
      const { identity, tasks, task, part } = found;
      if (identity.name) heading(`Participant: ${clip(identity.name, 80)}`);
      json(addresses(path, address, task));
      replaceKeeping(
        place.head,
        h("div", { class: "halves" }, [who(found), holds(found)]),
        offencesCard(found.one?.validator),
      );
      const choose = (next) => {
        chosen = next;
        again();
      };
      replaceKeeping(
        place.tasks,
        tasks.length > 1 ? chooser(tasks, task, choose) : null,
        part ? taskCards(part, task) : idle(),
      );
      if (!place.head.isConnected) replace(root, place.head, place.tasks);
    },
  });
}

function addresses(path, address, task) {
  const own = [
    ["participant", path],
    ["identity", `/v1/identities/${encodeURIComponent(address)}`],
    ["account", `/v1/accounts/${encodeURIComponent(address)}`],
  ];
  if (task === null) return own;
  return [
    ...own,
    ["history", `${path}/history?task=${task}`],
    ["standing", `/v1/tasks/${task}/standings/${encodeURIComponent(address)}`],
  ];
}

async function readTask(task, { path, address, signal }) {
  const [history, standing] = await Promise.all([
    getOrNull(`${path}/history?task=${task}`, { signal }),
    getOrNull(`/v1/tasks/${task}/standings/${encodeURIComponent(address)}`, { signal }),
  ]);
  return { history, standing };
}

function who({ identity, one }) {
  const fact = (label, value) => h("div", {}, h("dt", {}, label), h("dd", {}, value));
  const isKnown = identity.registered_at > 0;
  return section(
    "Who it is",
    "Names and roles are what the participant said when it registered; the address is what signs.",
    [
      h("dl", { class: "facts" }, [
        fact("Name", identity.name ? words(identity.name, { cut: 80 }) : "none"),
        fact("Organisation", identity.organisation ? words(identity.organisation) : "none"),
        fact("Role", identity.role ? words(identity.role, { cut: 60 }) : "none"),
        fact("Address", [
          hash(identity.address),
          " ",
          h("a", { href: `#/account/${encodeURIComponent(identity.address)}` }, "account"),
        ]),
        fact(
          "Registered",
          isKnown
            ? h(
                "a",
                { href: `#/commit/${identity.registered_at}` },
                `at height ${count(identity.registered_at)}`,
              )
            : "no identity on this chain",
        ),
        one?.validator ? fact("Validates", standing(one.validator)) : null,
        identity.roles.length
          ? fact(
              "May do",
              identity.roles.map((role) => h("span", {}, h("bdi", {}, clip(role, 60)), " ")),
            )
          : null,
      ]),
    ],
  );
}

function holds({ account, holdings, one }) {
  const { bonded, leaving } = (holdings?.holdings ?? []).reduce(
    (sum, held) => ({
      bonded: sum.bonded + BigInt(held.free) + BigInt(held.entering) + BigInt(held.arrived),
      leaving: sum.leaving + BigInt(held.leaving),
    }),
    { bonded: 0n, leaving: 0n },
  );
  return section(
    "What it has and did",
    "A stake is money that a validator loses in part if it is proven to cheat. Voting power follows it.",
    [
      figures([
        account ? ["Balance", amount(account.balance)] : null,
        one?.validator ? ["Stake behind it", amount(one.validator.stake)] : null,
        holdings ? ["Own money staked", amount(bonded)] : null,
        leaving > 0n ? ["Leaving the stake", amount(leaving)] : null,
        one?.validator ? ["Voting power", count(one.validator.power)] : null,
        ["Updates", count(one?.updates ?? 0)],
        ["Accepted", count(one?.accepted ?? 0)],
        ["Faults", count(one?.faults ?? 0)],
      ]),
      one?.validator ? presence(one.validator) : null,
    ],
  );
}

function presence({ rounds_attended: attended, rounds_most: most }) {
  if (!most) return null;
  const part = Math.min(100, (100 * attended) / most).toFixed(1);
  return h(
    "p",
    {},
    `Present in ${part} % of the chain's rounds of this epoch (${count(attended)} of ${count(most)}).`,
  );
}

function chooser(tasks, task, choose) {
  const options = tasks.map((one) =>
    h("option", { value: one, selected: one === task }, `Task ${one}`),
  );
  const select = h(
    "select",
    {
      id: "participant-task",
      "data-keep": "participant-task",
      on: { change: (event) => choose(Number(event.target.value)) },
    },
    options,
  );
  return h("p", { class: "row" }, h("label", { for: "participant-task" }, "In which task"), select);
}

function taskCards({ history, standing: owed }, task) {
  return [
    h("div", { class: "halves" }, [
      trustCard({ history, standing: owed, task }),
      rewardsCard({ history, standing: owed, task }),
    ]),
    faultsCard({ history, standing: owed }),
    roundsCard({ history, task }),
  ];
}

function idle() {
  return nothing(
    "It has taken part in no task yet.",
    "It appears here once it commits an update or validates a round.",
  );
}
