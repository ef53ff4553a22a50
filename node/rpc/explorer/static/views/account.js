import { get, getOrNull } from "../api.js";
import { h, replace, replaceKeeping } from "../dom.js";
import { address, amount, badge, count, facts, hash, hanse, words } from "../format.js";
import { live } from "../parts/live.js";
import { names } from "../parts/names.js";
import { nothing } from "../parts/states.js";
import { table } from "../parts/table.js";

const ADDRESS = /^(did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44}|[0-9a-f]{64})$/;
const EVERY_MS = 3_000;

export function title() {
  return "Account";
}

/** Show what an address holds and has staked, and who is behind it. */
export async function show({ address: did }, { signal, root, heading, json }) {
  if (!ADDRESS.test(did)) {
    const hint = "An address begins with did:key:z6Mk, or has 64 letters of 0 to 9 and a to f.";
    replace(root, nothing("This is no address.", hint));
    return;
  }
  const path = `/v1/accounts/${encodeURIComponent(did)}`;
  const who = `/v1/identities/${encodeURIComponent(did)}`;
  json([
    ["account", path],
    ["stake", `${path}/holdings`],
    ["identity", who],
  ]);
  const read = async () => {
    const [account, holdings, identity, known] = await Promise.all([
      get(path, { signal }),
      getOrNull(`${path}/holdings`, { signal }),
      getOrNull(who, { signal }),
      names(),
    ]);
    return { account: { ...account, height: 0 }, holdings, identity, known: [...known] };
  };
  const draw = (found) => {
    if (found.identity?.name) heading(`Account of ${found.identity.name.slice(0, 80)}`);
    replaceKeeping(root, view(found));
  };
  live({ root, signal, read, draw, follows: [["commits", {}]], everyMs: EVERY_MS });
}

function view({ account, holdings, identity, known }) {
  const did = account.address;
  const pending = account.pending;
  const waiting = pending
    ? badge(`${count(pending)} wait in the memory of this node`, "busy")
    : "none wait here";
  return [
    h(
      "section",
      { class: "card", "aria-label": "The account" },
      facts([
        ["Address", hash(did, { what: "address" })],
        identity?.name && ["Name", words(identity.name)],
        identity?.organisation && ["Organisation", words(identity.organisation)],
        identity?.role && ["Role", words(identity.role)],
        ["Balance", amount(account.balance)],
        ["Kind", account.is_contract ? contractLink(did) : "a person's or machine's account"],
        !account.is_contract && ["Transactions sent", count(account.nonce)],
        !account.is_contract && ["Transactions under way", waiting],
      ]),
      !account.is_contract &&
        h("p", {}, h("a", { href: `#/participant/${encodeURIComponent(did)}` }, PARTICIPANT)),
    ),
    !account.is_contract && stake(holdings, new Map(known)),
  ];
}

const PARTICIPANT = "What it did in training: reputation, updates, rewards";

function contractLink(did) {
  return h("a", { href: `#/contract/${did}` }, "a contract: its methods and events");
}

function stake(holdings, known) {
  const money = (label, key) => ({
    label,
    number: true,
    cell: (one) => hanse(one[key]),
    sort: (one) => BigInt(one[key]),
  });
  const columns = [
    { label: "Validator", head: true, cell: (one) => address(one.validator, known) },
    money("Staked", "free"),
    money("Comes in at the end of the epoch", "entering"),
    money("Came from another, bound", "arrived"),
    money("Leaves", "leaving"),
  ];
  return h(
    "section",
    { class: "card", "aria-labelledby": "stake-title" },
    h("h2", { id: "stake-title" }, "Stake"),
    table({
      caption: "Stake at validators, in HANSE, rewards included",
      columns,
      rows: holdings?.holdings ?? [],
      empty: "It has nothing staked.",
    }),
  );
}
