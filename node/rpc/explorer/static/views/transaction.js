import { get } from "../api.js";
import { h, replace, replaceKeeping } from "../dom.js";
import { badge, facts, hash, short } from "../format.js";
import { live } from "../parts/live.js";
import { names } from "../parts/names.js";
import { receiptView } from "../parts/receipt.js";
import { nothing } from "../parts/states.js";

export function title({ id }) {
  return `Transaction ${short(id)}`;
}

/** Show what became of a transaction, and whether that is final. */
export async function show({ id }, { signal, root, json }) {
  if (!/^[0-9a-f]{64}$/.test(id)) {
    replace(root, nothing("An id of a transaction has 64 letters of 0 to 9 and a to f."));
    return;
  }
  const path = `/v1/transactions/${id}`;
  json([["transaction", path]]);
  let isFinal = false;
  live({
    root,
    signal,
    read: async () => {
      const [found, known] = await Promise.all([get(path, { signal }), names()]);
      return { found, known: [...known] };
    },
    draw: ({ found, known }) => {
      isFinal = found.is_final;
      replaceKeeping(root, view(found), receiptView(found.receipt, { names: new Map(known) }));
    },
    follows: [["commits", {}]],
    matters: () => !isFinal,
  });
}

function view({ transaction_id: id, is_final: isFinal }) {
  const state = isFinal
    ? badge("final: it cannot be undone", "good")
    : badge("in the chain, waits for signatures", "busy");
  return h("section", { class: "card", "aria-label": "The transaction" }, [
    facts([
      ["Id", hash(id, { what: "id" })],
      ["State", state],
    ]),
  ]);
}
