import { get, getOrNull } from "../api.js";
import { h, replaceKeeping } from "../dom.js";
import { badge, count, facts, hash, time } from "../format.js";
import { live } from "../parts/live.js";
import { receiptTable } from "../parts/receipt.js";
import { nothing } from "../parts/states.js";

const HEIGHT = /^(0|[1-9]\d{0,15})$/;

export function title({ height }) {
  return `Commit ${height}`;
}

/** Show a commit, and whether it is final, until it is. */
export async function show({ height }, { signal, root, json }) {
  if (!HEIGHT.test(height)) {
    replaceKeeping(root, nothing("A commit has a height: a whole number.", "Search for one above."));
    return;
  }
  json([["commit", `/v1/commits/${height}`]]);
  let isFinal = false;
  live({
    root,
    signal,
    read: () => read(height, signal),
    draw: (found) => {
      isFinal = found.commit.is_final;
      const { checkpoint } = found.commit;
      const certificate = [["certificate", `/v1/checkpoints/${checkpoint?.number}`]];
      json([["commit", `/v1/commits/${height}`], ...(found.certificate ? certificate : [])]);
      replaceKeeping(root, view(found));
    },
    follows: [["commits", {}]],
    matters: () => !isFinal,
  });
}

async function read(height, signal) {
  const commit = await get(`/v1/commits/${height}`, { signal });
  const path = `/v1/checkpoints/${commit.checkpoint?.number}`;
  const isSigned = commit.checkpoint && commit.is_final;
  return { commit, certificate: isSigned ? await getOrNull(path, { signal }) : null };
}

function view({ commit, certificate }) {
  const { checkpoint } = commit;
  return [
    h(
      "section",
      { class: "card", "aria-label": "The commit" },
      facts([
        ["State", state(commit)],
        ["Time of the chain", time(commit.time_ms)],
        ["Height", count(commit.height)],
        ["Epoch", `${count(commit.epoch)}, commit ${count(commit.commit_index)} of it`],
        ["Digest", hash(commit.digest, { what: "digest" })],
        checkpoint && ["State after it", hash(checkpoint.state_root, { what: "state root" })],
        checkpoint && ["Receipts root", hash(checkpoint.receipts_root, { what: "receipts root" })],
        ["Checkpoint", checkpoint ? `number ${count(checkpoint.number)}` : NO_CHECKPOINT],
        certificate && ["Signed by", signers(certificate)],
      ]),
      neighbours(commit.height),
    ),
    h(
      "section",
      { class: "card", "aria-labelledby": "transactions-title" },
      h("h2", { id: "transactions-title" }, `Transactions (${count(commit.receipts.length)})`),
      receiptTable(commit.receipts),
    ),
  ];
}

const NO_CHECKPOINT = "none of its own: a later one covers it";

function state({ is_final: isFinal }) {
  return isFinal
    ? badge("final: more than two thirds of the power signed it", "good")
    : badge("waits for signatures", "busy");
}

function signers({ signers: seats }) {
  return `${seats.length} ${seats.length === 1 ? "seat" : "seats"}: ${seats.join(", ")}`;
}

function neighbours(height) {
  return h(
    "nav",
    { class: "row", "aria-label": "Neighbours" },
    height > 1 && h("a", { href: `#/commit/${height - 1}` }, `← Commit ${count(height - 1)}`),
    h("a", { href: `#/commit/${height + 1}` }, `Commit ${count(height + 1)} →`),
  );
}
