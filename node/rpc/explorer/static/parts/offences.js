import { h } from "../dom.js";
import { address, badge, count, hash } from "../format.js";
import { section } from "./section.js";
import { table } from "./table.js";

const WORDS = {
  equivocation: "two blocks for one round",
  conflicting_votes: "votes for two checkpoints that exclude each other",
};
const HINT =
  "What a validator signs twice proves by itself that it lied. It lost its place for ever, and a part of what was at stake, " +
  "its own and that of those who trusted it with theirs.";

/** Return what a validator was shut out for, with what proves it; null for an honest one. */
export function offencesCard(validator) {
  if (!validator?.offences.length) return null;
  const columns = [
    { label: "What", head: true, cell: (one) => badge(WORDS[one.code] ?? one.code, "bad") },
    { label: "Stake lost", number: true, cell: (one) => `${one.basis_points / 100} %` },
    { label: "Where", cell: ({ evidence }) => where(evidence) },
    { label: "Brought by", cell: ({ evidence }) => reporter(evidence) },
    { label: "What was signed", cell: ({ evidence }) => signed(evidence) },
  ];
  return section(
    "Offences against the chain",
    HINT,
    table({ caption: "Offences, as they were punished", columns, rows: validator.offences }),
  );
}

function where(evidence) {
  if (!evidence) return "before the blocks that this node still has";
  const commit = h("a", { href: `#/commit/${evidence.height}` }, `commit ${count(evidence.height)}`);
  if (!evidence.transaction) return [commit, ", which orders both blocks"];
  return [
    commit,
    ", transaction ",
    hash(evidence.transaction, { href: `#/tx/${evidence.transaction}`, what: "id" }),
  ];
}

function reporter(evidence) {
  if (!evidence) return "–";
  return evidence.reporter ? address(evidence.reporter) : "the chain itself";
}

function signed(evidence) {
  if (!evidence) return "–";
  const kind = evidence.round === null ? "checkpoints " : `blocks of round ${count(evidence.round)}: `;
  return [kind, evidence.digests.map((one) => [hash(one, { what: "digest" }), " "])];
}
