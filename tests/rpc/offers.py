"""Tasks that tests offer on a real chain."""

from node.federation import calls
from node.ledger.transaction import Call
from primitives.hashing import sha256
from primitives.ids import Grain
from tests.fl import cast

DOCUMENT = sha256(b"document")
FIRST_MODEL = sha256(b"first model")


def create_task(*, rounds: int = 2) -> Call:
    """Return the call that offers a task and pays for some rounds."""
    terms = cast.Offer()
    fields = {name: getattr(terms, name) for name in terms.__slots__}
    offer = calls.Offer(document=DOCUMENT, model=FIRST_MODEL, **fields)
    return calls.create_task(offer, escrow=Grain(rounds * terms.reward))
