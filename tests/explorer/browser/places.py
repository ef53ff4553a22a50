"""Every view of the explorer on the live network, and words that stand there once it is read."""

from dataclasses import dataclass
from typing import Final

from tests.explorer.browser.devnet import TASK, Devnet


@dataclass(frozen=True, slots=True)
class Place:
    """A view.

    Args:
        path: what follows `#/`; in braces what only the network can tell.
        words: that are only there once the answers of the node are drawn.
    """

    path: str
    words: tuple[str, ...]


PLACES: Final = {
    "overview": Place("", ("The chain is well", "Offered by devnet", "Newest model: version")),
    "chain": Place("chain", ("The chain is well", "The last rounds", "waits for signatures")),
    "commit": Place("commit/{height}", ("{transaction_short}",)),
    "transaction": Place("tx/{transaction}", ("{height}",)),
    "account": Place("account/{account}", ("HANSE",)),
    "validators": Place("validators", ("node-0", "node-1", "node-2", "node-3")),
    "contracts": Place("contracts", ("rounds", "identity")),
    "contract": Place("contract/rounds", ("open_round", "RoundEnded")),
    "tasks": Place("tasks", ("devnet",)),
    "task": Place("task/{task}", ("devnet", "committed")),
    "round": Place("round/{task}/0", ("committed", "rejected: the loss rose", "node-3")),
    "models": Place("models/{task}", ("Version", "1")),
    "model": Place("model/{task}/1", ("node-0", "hanse model verify")),
    "participants": Place("participants", ("node-0", "node-3")),
    "participant": Place("participant/{account}", ("Who it is", "node-0", "Trust score")),
    "search": Place("search/node-1", ("node-1",)),
}


async def facts_of(live: Devnet) -> dict[str, str]:
    """Return what the paths of places need: a commit, its transaction, an account."""
    client = live.network.client("node-0")
    height = (await client.round_history(TASK, 0)).first_height
    commit = await client.commit(height)
    transaction = commit.receipts[0].transaction_id
    return {
        "task": str(TASK),
        "height": str(height),
        "transaction": transaction,
        "transaction_short": transaction[:8],
        "account": live.account("node-0"),
    }
