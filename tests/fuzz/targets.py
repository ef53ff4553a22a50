"""What is fuzzed: the ways in for bytes, of consensus here, of the other rooms beside."""

import random
from typing import Final

from consensus.block import (
    HEADER_CODEC,
    SIGNED_BLOCK_CODEC,
    SignedBlock,
    header_digest,
)
from consensus.commit import COMMIT_CODEC, commit_digest
from consensus.commit_sync import CommitSync
from consensus.evidence import EVIDENCE_CODEC, prove_equivocation, verify_evidence
from consensus.ingress import Ingress
from consensus.messages import (
    MESSAGE_CODEC,
    AnyMessage,
    BlockMessage,
    BlocksMessage,
    CommitAnswerMessage,
    CommitRequestMessage,
    FetchMessage,
    LatestAnswerMessage,
    LatestQueryMessage,
)
from consensus.parameters import Tuning
from consensus.verifier import BlockVerifier
from primitives.errors import (
    InvalidBlockError,
    InvalidCommitError,
    InvalidEvidenceError,
    MalformedBytesError,
    RemoteProtocolError,
)
from primitives.ids import AuthorityIndex, CommitIndex
from tests.consensus.bench import PAYLOAD, Bench
from tests.consensus.builders import Forge, phantom
from tests.consensus.chain import Chain
from tests.dsl.committee import context_of
from tests.fuzz.job_targets import JOB_TARGETS
from tests.fuzz.ledger_targets import LEDGER_TARGETS
from tests.fuzz.p2p_targets import P2P_TARGETS
from tests.fuzz.script import STEPS_MAX, Play
from tests.fuzz.target import Target
from tests.fuzz.update_targets import UPDATE_TARGETS
from tests.fuzz.vm_targets import VM_TARGETS

BENCH: Final = Bench((1,) * 4)
CONTEXT: Final = context_of((1,) * 4)
FORGE: Final = Forge(CONTEXT)
CHAIN: Final = Chain(CONTEXT, 6)
OWN: Final = AuthorityIndex(0)
PEER: Final = AuthorityIndex(1)
INGRESS: Final = Ingress(CONTEXT, own=OWN, verify=BlockVerifier(CONTEXT).verify)


def _run_block(raw: bytes) -> None:
    signed = SIGNED_BLOCK_CODEC.decode(raw)
    block = BENCH.verifier.verify(signed)
    assert block.ref.digest == header_digest(signed.header)
    assert SIGNED_BLOCK_CODEC.encode(block.signed) == raw


def _run_header(raw: bytes) -> None:
    """Sign the header for whoever it names, so that every rule is reached."""
    header = HEADER_CODEC.decode(raw)
    payload = PAYLOAD if header.payload_count else ()
    block = BENCH.verifier.verify(FORGE.sign_raw(raw, payload, author=header.author))
    assert HEADER_CODEC.encode(block.header) == raw


def _run_message(raw: bytes) -> None:
    INGRESS.admit(raw, peer=PEER)
    assert MESSAGE_CODEC.encode(MESSAGE_CODEC.decode(raw)) == raw


def _run_commit(raw: bytes) -> None:
    """Answer with the commit, asked for and certified whatever it says."""
    commit = COMMIT_CODEC.decode(raw)
    digest = commit_digest(commit)
    assert COMMIT_CODEC.encode(commit) == raw
    sync = CommitSync(CONTEXT, own=OWN, tuning=Tuning(commit_batch=1))
    for block in CHAIN.voters(1, (1, 2, 3)):
        sync.observe(block)
    ((peer, _),) = sync.tick(CommitIndex(0), now_ms=0)
    sync.accept(peer, (commit,), CHAIN.voters(1, (1, 2, 3)))
    assert sync.next_certified(CommitIndex(0)) == (commit, digest)


def _run_evidence(raw: bytes) -> None:
    evidence = EVIDENCE_CODEC.decode(raw)
    assert EVIDENCE_CODEC.encode(evidence) == raw
    assert verify_evidence(evidence, CONTEXT).author in CONTEXT.committee.indices


def _run_core(raw: bytes) -> None:
    Play(raw).run()


def _header_seeds() -> tuple[bytes, ...]:
    signed = (
        BENCH.signed(BENCH.header),
        BENCH.at_round(1),
        BENCH.at_round(5, BENCH.forge.genesis()[-1]),
        BENCH.on_power(BENCH.context.committee.quorum),
    )
    return tuple(block.header for block in signed)


def _block_seeds() -> tuple[bytes, ...]:
    signed = (BENCH.signed(BENCH.header), BENCH.at_round(1), BENCH.carrying(b"", b"x"))
    return tuple(map(SIGNED_BLOCK_CODEC.encode, signed))


def _message_seeds() -> tuple[bytes, ...]:
    genesis = CONTEXT.genesis_digest
    blocks: tuple[SignedBlock, ...] = tuple(block.signed for block in FORGE.layers(2)[1])
    voters = tuple(block.signed for block in CHAIN.voters(2, (1, 2, 3)))
    messages: tuple[AnyMessage, ...] = (
        BlockMessage(genesis, blocks[PEER]),
        BlocksMessage(genesis, blocks),
        FetchMessage(genesis, (phantom(1, 0), phantom(2, 3)), (0, 1, 2, 3)),
        CommitRequestMessage(genesis, 1, 5),
        CommitAnswerMessage(genesis, CHAIN.run(1, 2), voters),
        LatestQueryMessage(genesis),
        LatestAnswerMessage(genesis, blocks[OWN]),
        LatestAnswerMessage(genesis, None),
    )
    return tuple(map(MESSAGE_CODEC.encode, messages))


def _evidence_seeds() -> tuple[bytes, ...]:
    twins = [FORGE.block(1, 2, timestamp_ms=stamp) for stamp in (0, 1)]
    return (EVIDENCE_CODEC.encode(prove_equivocation(twins[0], twins[1])),)


def _core_seeds() -> tuple[bytes, ...]:
    """Return scripts of the length that uses up the steps, and one of honest rounds alone."""
    dice = random.Random(1)
    scripts = tuple(dice.randbytes(4 * STEPS_MAX) for _ in range(2))
    return (bytes(40), bytes((0, 6, 99)) * 30, *scripts)


TARGETS: Final = {
    target.name: target
    for target in (
        Target("block", _run_block, (MalformedBytesError, InvalidBlockError), _block_seeds()),
        Target("header", _run_header, (MalformedBytesError, InvalidBlockError), _header_seeds()),
        Target("message", _run_message, (RemoteProtocolError,), _message_seeds()),
        Target(
            "commit",
            _run_commit,
            (MalformedBytesError, InvalidCommitError),
            (COMMIT_CODEC.encode(CHAIN.commits[0]),),
        ),
        Target(
            "evidence",
            _run_evidence,
            (MalformedBytesError, InvalidEvidenceError),
            _evidence_seeds(),
        ),
        Target("core", _run_core, (), _core_seeds()),
        *P2P_TARGETS,
        *LEDGER_TARGETS,
        *VM_TARGETS,
        *UPDATE_TARGETS,
        *JOB_TARGETS,
    )
}
