"""Calls of the standard contracts, ready to be put into a transaction.

Signatures are written down here rather than compiled from the contracts, so that a client needs no
compiler; a test holds them against the compiled contracts. Whether a call makes sense is for the
contract to say: only what cannot be encoded at all is refused here.
"""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from fl.jobs.bounds import Count, DigestBytes, Whole
from node.ledger.contract import genesis_contract_address
from node.ledger.transaction import Call
from node.vm.shapes import Value
from node.vm.types import ADDRESS, BOOL, BYTES, COMPOSITE_FIRST, INT, STR, ListType, TypeIndex
from node.vm.values import ValueCodec
from primitives.ids import Address, Grain, Height

IDENTITY: Final = genesis_contract_address("identity")
TASKS: Final = genesis_contract_address("tasks")
ROUNDS: Final = genesis_contract_address("rounds")
REGISTRY: Final = genesis_contract_address("registry")
REPUTATION: Final = genesis_contract_address("reputation")
DISPUTES: Final = genesis_contract_address("disputes")

TYPES: Final = (ListType(INT),)
_INTS: Final = TypeIndex(COMPOSITE_FIRST)

Signature = tuple[Address, tuple[TypeIndex, ...]]

SIGNATURES: Final[Mapping[str, Signature]] = MappingProxyType(
    {
        "register": (IDENTITY, (STR, STR, STR)),
        "admit": (IDENTITY, (STR, ADDRESS)),
        "hand_over": (IDENTITY, (STR, ADDRESS)),
        "revoke": (IDENTITY, (ADDRESS,)),
        "add_key": (IDENTITY, (BYTES, BYTES)),
        "rotate_key": (IDENTITY, (BYTES, BYTES, BYTES)),
        "revoke_key": (IDENTITY, (BYTES,)),
        "publish": (TASKS, (INT, STR, STR)),
        "describe": (TASKS, (INT, STR, STR)),
        "unlist": (TASKS, (INT,)),
        "list_again": (TASKS, (INT,)),
        "create_task": (ROUNDS, (BYTES, BYTES, *(INT,) * 9, _INTS, _INTS, INT)),
        "top_up": (ROUNDS, (INT,)),
        "close_task": (ROUNDS, (INT,)),
        "open_round": (ROUNDS, (INT,)),
        "commit": (ROUNDS, (INT, BYTES)),
        "reveal": (ROUNDS, (INT, BYTES, BYTES)),
        "claim": (ROUNDS, (INT, ADDRESS, INT)),
        "attest": (ROUNDS, (INT, INT)),
        "commit_scores": (ROUNDS, (INT, BYTES)),
        "reveal_scores": (ROUNDS, (INT, BYTES, BYTES)),
        "vote": (ROUNDS, (INT, BYTES)),
        "report": (ROUNDS, (INT, _INTS)),
        "advance": (ROUNDS, (INT, INT)),
        "appeal": (DISPUTES, (INT, BYTES)),
        "execute": (DISPUTES, (INT,)),
    }
)
"""By method: the contract and the types of its arguments."""


class Offer(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True):
    """What a sponsor offers; `fl.rules.calls.CreateTask` says what each field means.

    Args:
        document: id of the task document's blob.
        model: id of the MODEL blob of W_0.
        clip: the norm to which updates are cut in the first round.
    """

    document: DigestBytes
    model: DigestBytes
    reward: Count
    bond: Count
    slots: Count
    ready: Count
    epsilon: Count
    band_min: Count
    harm: Count
    clip: Count
    clip_min: Count
    windows: tuple[Count, ...]
    guard_bounds: tuple[Whole, ...]
    identity_percent: Count


def create_task(offer: Offer, *, escrow: Grain) -> Call:
    """Offer a task; the escrow pays for its rounds."""
    arguments: tuple[Value, ...] = msgspec.structs.astuple(offer)
    return _call("create_task", *arguments, value=escrow)


def top_up(task: int, *, amount: Grain) -> Call:
    """Add to the escrow of a task."""
    return _call("top_up", task, value=amount)


def close_task(task: int) -> Call:
    """Let no round follow."""
    return _call("close_task", task)


def open_round(task: int) -> Call:
    """Open a round."""
    return _call("open_round", task)


def commit(task: int, *, commitment: bytes, bond: Grain) -> Call:
    """Commit to an update."""
    return _call("commit", task, commitment, value=bond)


def reveal(task: int, *, root: bytes, salt: bytes) -> Call:
    """Open the commitment to an update."""
    return _call("reveal", task, root, salt)


def claim(task: int, *, who: Address, registered_at: Height) -> Call:
    """Have paid what has vested for an identity."""
    return _call("claim", task, who, registered_at)


def attest(task: int, *, held: int) -> Call:
    """Say which updates the sender holds, as bits; only what it has not said before."""
    return _call("attest", task, held)


def commit_scores(task: int, *, commitment: bytes) -> Call:
    """Commit to a scorecard."""
    return _call("commit_scores", task, commitment)


def reveal_scores(task: int, *, card: bytes, salt: bytes) -> Call:
    """Open the commitment to a scorecard."""
    return _call("reveal_scores", task, card, salt)


def vote(task: int, *, aggregate: bytes) -> Call:
    """Name the MODEL blob that the sender computed."""
    return _call("vote", task, aggregate)


def report(task: int, *, changes: tuple[int, ...]) -> Call:
    """Report what the guard watches, in the order of the task's bounds."""
    return _call("report", task, changes)


def advance(task: int, *, steps: int) -> Call:
    """Take steps that are due."""
    return _call("advance", task, steps)


def register(name: str, *, role: str = "client", organisation: str = "") -> Call:
    """Give the sender an identity."""
    return _call("register", name, role, organisation)


def admit(organisation: str, *, who: Address) -> Call:
    """Let an account register with an organisation of the sender."""
    return _call("admit", organisation, who)


def hand_over(organisation: str, *, to: Address) -> Call:
    """Give an organisation to another member."""
    return _call("hand_over", organisation, to)


def revoke(who: Address) -> Call:
    """End an identity."""
    return _call("revoke", who)


def add_key(key: bytes, *, signature: bytes) -> Call:
    """Add a key to the identity of the sender."""
    return _call("add_key", key, signature)


def rotate_key(old: bytes, *, new: bytes, signature: bytes) -> Call:
    """Replace a key of the identity of the sender."""
    return _call("rotate_key", old, new, signature)


def revoke_key(key: bytes) -> Call:
    """Take a key from the identity of the sender."""
    return _call("revoke_key", key)


def publish(task: int, *, title: str, description: str = "") -> Call:
    """Put a task of the sender into the catalogue."""
    return _call("publish", task, title, description)


def describe(task: int, *, title: str, description: str = "") -> Call:
    """Replace the words of an entry of the catalogue."""
    return _call("describe", task, title, description)


def unlist(task: int) -> Call:
    """Take a task off the list of the catalogue."""
    return _call("unlist", task)


def list_again(task: int) -> Call:
    """Put a task back on the list of the catalogue."""
    return _call("list_again", task)


def appeal(number: int, *, statement: bytes, deposit: Grain) -> Call:
    """Dispute a request to slash the sender."""
    return _call("appeal", number, statement, value=deposit)


def execute(number: int) -> Call:
    """Carry out a request to slash whose time is over."""
    return _call("execute", number)


@enum.unique
class Ballot(enum.Enum):
    """What a validator may want done with a request to slash."""

    LIFT = True
    UPHOLD = False


def judge_dispute(number: int, *, ballot: Ballot) -> Call:
    """Vote on an appeal; the method has the name of one of `rounds`."""
    arguments = _BALLOT.encode((number, ballot.value))
    return Call(contract=DISPUTES, method="vote", arguments=arguments, value=NOTHING)


_BALLOT: Final = ValueCodec.of_fields((), (INT, BOOL))


NOTHING: Final = Grain(0)
_CODECS: Final = {
    method: ValueCodec.of_fields(TYPES, types) for method, (_, types) in SIGNATURES.items()
}


def _call(method: str, *arguments: Value, value: Grain = NOTHING) -> Call:
    contract, _ = SIGNATURES[method]
    raw = _CODECS[method].encode(arguments)
    return Call(contract=contract, method=method, arguments=raw, value=value)
