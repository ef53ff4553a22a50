"""What the API says about the chain and the node, as server and client both read it.

JSON objects with fixed keys; unknown keys are refused on both sides. Digests are hex, accounts are
did:key, contracts are hex, and integers that may exceed 2**53 are decimal text. The OpenAPI
document is made from these structs: their docstrings are what a reader of it sees.
"""

from typing import Annotated, Any, TypeAlias

import msgspec

from node.rpc.texts import (
    AddressText,
    Base64Text,
    BigWhole,
    DigestText,
    HexText,
    PeerText,
    Whole,
)

BATCH_MAX = 256
EVENTS_LIMIT_MAX = 1_000

Json: TypeAlias = Any
"""A value of a contract: integers and fixed-point numbers as text, bytes as hex, records by key."""


class _Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The root of all schemas."""


class ErrorBody(_Answer, frozen=True, kw_only=True):
    """Why a request was refused: a stable code for programs, a sentence for people."""

    code: str
    message: str


class Done(_Answer, frozen=True, kw_only=True):
    """What was asked for is done, or was so before."""

    done: bool


class Head(_Answer, frozen=True, kw_only=True):
    """Where the chain of this node is, and how much of it is final."""

    chain_id: DigestText
    epoch: Whole
    commit_index: Whole
    height: Whole
    time_ms: Whole
    state_root: DigestText
    checkpoint_count: Whole
    certified_number: Whole | None
    """Number of the newest certified checkpoint."""
    certified_height: Whole | None


class Status(_Answer, frozen=True, kw_only=True):
    """What kind of node this is and how it is doing."""

    name: str
    version: str
    chain_id: DigestText
    chain_name: str
    roles: tuple[str, ...]
    operator: AddressText | None
    peer_id: PeerText | None
    height: Whole
    certified_height: Whole | None
    head_age_ms: Whole
    """Wall time of the node less the time of the last commit."""
    is_ready: bool
    peers: Whole
    mempool_transactions: Whole
    uptime_ms: Whole


class Peer(_Answer, frozen=True, kw_only=True):
    """One connected peer."""

    peer_id: PeerText
    address: str
    direction: str
    agent: str
    age_ms: Whole
    round_trip_ms: Whole | None
    received_bytes: Whole
    sent_bytes: Whole


class Peers(_Answer, frozen=True, kw_only=True):
    """The connected peers of this node."""

    peer_id: PeerText | None
    listen: tuple[str, ...]
    peers: tuple[Peer, ...]


class Validator(_Answer, frozen=True, kw_only=True):
    """One validator: its pool, its keys, its seat in the running epoch."""

    operator: AddressText
    consensus_key: DigestText
    node_key: DigestText
    commission_bp: Whole
    stake: BigWhole
    standing: str
    seat: Whole | None
    power: Whole
    release_epoch: Whole


class Validators(_Answer, frozen=True, kw_only=True):
    """All validators of the chain, in the order of their registration."""

    epoch: Whole
    power_total: Whole
    validators: tuple[Validator, ...]


class Account(_Answer, frozen=True, kw_only=True):
    """What one address holds at a height."""

    address: AddressText
    balance: BigWhole
    nonce: BigWhole
    """The number that its next transaction must carry; 2**63 - 1 for contracts."""
    next_nonce: BigWhole
    """The same, after what waits in the mempool of this node."""
    is_contract: bool
    pending: Whole
    """Its transactions that wait in the mempool of this node."""
    height: Whole


class Event(_Answer, frozen=True, kw_only=True):
    """What a contract told the world."""

    contract: DigestText
    name: str
    fields: Json
    """By name; null where the code of the contract cannot be read any more."""


class Receipt(_Answer, frozen=True, kw_only=True):
    """What became of one transaction."""

    transaction_id: DigestText
    height: Whole
    index: Whole
    status: str
    """done, failed or refused."""
    code: str
    gas_used: BigWhole
    fee: BigWhole
    events: tuple[Event, ...]
    result: HexText
    created: DigestText | None
    trap: str


class TransactionState(_Answer, frozen=True, kw_only=True):
    """A transaction by its id: final if a certificate covers its commit."""

    transaction_id: DigestText
    is_final: bool
    receipt: Receipt


class SubmitRequest(_Answer, frozen=True, kw_only=True):
    """A signed transaction, as canonical msgpack, in base64."""

    raw: Annotated[Base64Text, msgspec.Meta(min_length=4, max_length=90_000)]


class Submitted(_Answer, frozen=True, kw_only=True):
    """The transaction is in the mempool of this node and on its way to the others."""

    transaction_id: DigestText


class SubmitManyRequest(_Answer, frozen=True, kw_only=True):
    """Several signed transactions; each is judged by itself."""

    raws: Annotated[
        tuple[Annotated[Base64Text, msgspec.Meta(min_length=4, max_length=90_000)], ...],
        msgspec.Meta(min_length=1, max_length=BATCH_MAX),
    ]


class SubmitOutcome(_Answer, frozen=True, kw_only=True):
    """One of several: its id, or why it was refused."""

    transaction_id: DigestText | None = None
    refusal: ErrorBody | None = None


class SubmittedMany(_Answer, frozen=True, kw_only=True):
    """One outcome for each transaction, in the order of the request."""

    outcomes: tuple[SubmitOutcome, ...]


class Checkpoint(_Answer, frozen=True, kw_only=True):
    """What validators sign after a commit."""

    number: Whole
    epoch: Whole
    commit_index: Whole
    height: Whole
    commit_digest: DigestText
    time_ms: Whole
    state_root: DigestText
    receipts_root: DigestText
    previous: DigestText
    next_committee: DigestText | None
    digest: DigestText


class Certificate(_Answer, frozen=True, kw_only=True):
    """A checkpoint that more than two thirds of the voting power signed."""

    checkpoint: Checkpoint
    signers: tuple[Whole, ...]
    """Seats of the epoch's committee."""
    raw: Base64Text
    """As light clients read it."""


class Commit(_Answer, frozen=True, kw_only=True):
    """One commit and what it did."""

    height: Whole
    epoch: Whole
    commit_index: Whole
    digest: DigestText
    time_ms: Whole
    is_final: bool
    checkpoint: Checkpoint | None
    receipts: tuple[Receipt, ...]


class Proof(_Answer, frozen=True, kw_only=True):
    """Two files that prove a fact to whoever trusts the genesis file, see `hanse light verify`."""

    height: Whole
    chain_file: Base64Text
    proof: Base64Text


class ViewRequest(_Answer, frozen=True, kw_only=True):
    """A view of a contract to call; it reads and changes nothing."""

    method: Annotated[str, msgspec.Meta(pattern="^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
    args: Annotated[tuple[Json, ...], msgspec.Meta(max_length=64)] = ()
    height: Whole | None = None


class ViewAnswer(_Answer, frozen=True, kw_only=True):
    """What the view returned."""

    result: Json


class Method(_Answer, frozen=True, kw_only=True):
    """A method of a contract with the types it takes and returns."""

    name: str
    kind: str
    params: tuple[str, ...]
    result: str


class Contract(_Answer, frozen=True, kw_only=True):
    """A contract: who put it on the chain, and what it can be asked."""

    address: DigestText
    name: str
    code_digest: DigestText
    deployer: AddressText
    height: Whole
    balance: BigWhole
    methods: tuple[Method, ...]


class PlacedEvent(_Answer, frozen=True, kw_only=True):
    """An event and where it stands."""

    height: Whole
    receipt_index: Whole
    event_index: Whole
    event: Event


class Events(_Answer, frozen=True, kw_only=True):
    """Events of one contract in the order of the chain; ask again after the last one for more."""

    events: tuple[PlacedEvent, ...]
    is_complete: bool


class BlobStat(_Answer, frozen=True, kw_only=True):
    """A blob that this node holds."""

    cid: str
    id: DigestText
    """As contracts name it: the digest of the CID."""
    size_bytes: Whole
    is_public: bool


class Gathered(_Answer, frozen=True, kw_only=True):
    """The blobs that a version was made of."""

    blobs: tuple[BlobStat, ...]


class DutyJob(_Answer, frozen=True, kw_only=True):
    """A duty under way."""

    step: str
    task: Whole
    round: Whole
    rung: Whole
    since_ms: Whole
    stage: str
    done: Whole
    total: Whole
    note: str


class DutyTask(_Answer, frozen=True, kw_only=True):
    """How this node stands to one task."""

    task: Whole
    title: str
    version: Whole
    round: Whole | None
    phase: str
    rung: Whole
    deadline_ms: Whole
    troubles: tuple[str, ...]
    given_up: tuple[str, ...]
    last_error: str


class Duties(_Answer, frozen=True, kw_only=True):
    """What this node does for training now."""

    account: AddressText
    roles: tuple[str, ...]
    tasks: tuple[DutyTask, ...]
    jobs: tuple[DutyJob, ...]


class SeenPhase(_Answer, frozen=True, kw_only=True):
    """When this node first saw a phase, in chain time."""

    phase: str
    rung: Whole
    seen_ms: Whole


class DutyTime(_Answer, frozen=True, kw_only=True):
    """How long a duty took, and how it ended."""

    step: str
    rung: Whole
    began_ms: Whole
    took_ms: Whole
    outcome: str


class RoundTime(_Answer, frozen=True, kw_only=True):
    """Where the time of one round went, as this node saw it."""

    task: Whole
    round: Whole
    phases: tuple[SeenPhase, ...]
    jobs: tuple[DutyTime, ...]


class DutyReport(_Answer, frozen=True, kw_only=True):
    """The duties of this node with the times of its last rounds."""

    duties: Duties
    rounds: tuple[RoundTime, ...]


class LogLine(_Answer, frozen=True, kw_only=True):
    """One line of the node's log."""

    time_ms: Whole
    level: str
    logger: str
    event: str
    fields: dict[str, str]


class LogTail(_Answer, frozen=True, kw_only=True):
    """The newest lines of the log, oldest first."""

    lines: tuple[LogLine, ...]


class Health(_Answer, frozen=True, kw_only=True):
    """The node answers."""

    status: str


class BanRequest(_Answer, frozen=True, kw_only=True):
    """How long to refuse a peer, and why."""

    duration_ms: Annotated[int, msgspec.Meta(ge=1, le=31_536_000_000)] = 3_600_000
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=200)] = "the operator said so"
