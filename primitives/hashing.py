"""Hash with SHA-256, always under a domain tag, so that no digest can stand for another thing.

A tagged hash is SHA-256(SHA-256(tag) || SHA-256(tag) || message). The two tag hashes fill exactly
one SHA-256 block, so the state after them is computed once per domain and copied for each message;
the tag costs nothing afterwards. Source: BIP-340, section "Design", paragraph on tagged hashes.
"""

import enum
import hashlib

from primitives.ids import Digest


@enum.unique
class Domain(enum.Enum):
    """The closed list of things that are hashed or signed; a changed meaning is a new member."""

    CHAIN = "hanse/chain/1"
    GENESIS_BLOCK = "hanse/genesis-block/1"
    BLOCK_HEADER = "hanse/block-header/1"
    BLOCK_SIGNATURE = "hanse/block-signature/1"
    PAYLOAD_LEAF = "hanse/payload-leaf/1"
    PAYLOAD_NODE = "hanse/payload-node/1"
    COMMIT = "hanse/commit/1"
    COMMITTEE = "hanse/committee/1"
    EPOCH_SEED = "hanse/epoch-seed/1"
    LEADER_DRAW = "hanse/leader-draw/1"
    SCHEDULE_TIE = "hanse/schedule-tie/1"
    PEER_ROTATION = "hanse/peer-rotation/1"
    EVIDENCE = "hanse/evidence/1"
    JOURNAL = "hanse/journal/1"
    TRACE = "hanse/trace/1"
    GENESIS = "hanse/genesis/1"
    TRANSACTION = "hanse/transaction/1"
    REFUSED_ITEM = "hanse/refused-item/1"
    SCHEDULED_CALL = "hanse/scheduled-call/1"
    RECEIPT_LEAF = "hanse/receipt-leaf/1"
    RECEIPT_NODE = "hanse/receipt-node/1"
    STATE_KEY = "hanse/state-key/1"
    STATE_LEAF = "hanse/state-leaf/1"
    STATE_NODE = "hanse/state-node/1"
    CHECKPOINT = "hanse/checkpoint/1"
    BEACON = "hanse/beacon/1"
    CONTRACT_ADDRESS = "hanse/contract-address/1"
    CONTRACT_CODE = "hanse/contract-code/1"
    CONTRACT_MESSAGE = "hanse/contract-message/1"
    SYSTEM_ACCOUNT = "hanse/system-account/1"
    KEY_POSSESSION = "hanse/key-possession/1"
    MODEL_CONTENT = "hanse/model-content/1"
    TOKENIZER_CONTENT = "hanse/tokenizer-content/1"
    ADAPTER_START = "hanse/adapter-start/1"
    MERKLE_LEAF = "hanse/merkle-leaf/1"
    MERKLE_NODE = "hanse/merkle-node/1"
    UPDATE_LAYOUT = "hanse/update-layout/1"
    UPDATE_CONTENT = "hanse/update-content/1"
    ROUND_SALT = "hanse/round-salt/1"

    def __init__(self, tag: str) -> None:
        tag_hash = hashlib.sha256(tag.encode("ascii")).digest()
        # Kept on the member, since a dict keyed by members would call the slow Enum.__hash__.
        # Only ever copied, never updated.
        self.state = hashlib.sha256(tag_hash + tag_hash)


def tagged_hash(domain: Domain, message: bytes) -> Digest:
    """Return the digest of the message under the tag of the domain."""
    state = domain.state.copy()
    state.update(message)
    return Digest(state.digest())


def sha256(message: bytes) -> Digest:
    """Return the plain SHA-256 of the message, as content ids and foreign formats need it."""
    return Digest(hashlib.sha256(message).digest())
