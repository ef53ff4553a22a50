"""The names under which the nodes of one chain talk: a node of another chain hears none of them."""

from typing import Final

from primitives.ids import ChainId

CHAIN_PREFIX_BYTES: Final = 8
"""Of the chain id; enough that no two chains meet by accident, and every message is bound to the
whole id by its signature."""


def topic(chain_id: ChainId, name: str) -> str:
    """Return the name of a gossip topic of this chain."""
    return f"/hanse/{_short(chain_id)}/{name}/1"


def protocol(chain_id: ChainId, name: str) -> str:
    """Return the name of a request protocol of this chain."""
    return f"/hanse/{_short(chain_id)}/req/{name}/1"


def _short(chain_id: ChainId) -> str:
    return chain_id[:CHAIN_PREFIX_BYTES].hex()
