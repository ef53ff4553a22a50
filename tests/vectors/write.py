"""Write our own golden vectors of the consensus: `python -m tests.vectors.write`.

Run it only when a meaning changed on purpose; a changed meaning needs a new domain tag.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from consensus.block import (
    BLOCK_VERSION,
    HEADER_CODEC,
    BlockRef,
    CommitVote,
    EquivocationReport,
    Header,
    genesis_ref,
    payload_root,
    sign_block,
)
from consensus.commit import COMMIT_CODEC, Commit, commit_digest, genesis_commit_digest
from consensus.parameters import Parameters
from consensus.schedule import LeaderSchedule, ScheduleRecord
from primitives.ids import AuthorityIndex, CommitIndex, Digest, Round, TimestampMs
from tests.dsl.committee import context_of, key_of
from tests.vectors import Row

FOLDER: Final = Path(__file__).parent
ROUNDS: Final = (1, 2, 3, 4, 5, 6, 7, 8, 100, 65_536, 2**40)
Vectors = dict[str, str | list[Row]]


def leader_schedule() -> Vectors:
    """Return leaders for several chains, committees, counts and exclusions."""
    rows = [
        _draws("one leader of four equals", (1, 1, 1, 1)),
        _draws("the same four on another chain", (1, 1, 1, 1), chain=2),
        _draws("two leaders of seven equals", (1,) * 7, count=2),
        _draws("all ten lead, in drawn order", (1,) * 10, count=10),
        _draws("uneven power", (3, 1, 4, 1, 5, 2, 7), count=2),
        _draws("uneven power without two authors", (3, 1, 4, 1, 5, 2, 7), count=2, excluded=(1, 4)),
        _draws("one author alone", (5,)),
        _draws("all but one excluded", (1, 1, 1, 1), excluded=(0, 1, 3)),
        _draws("powers near the greatest total", (2**51 + 1, 2**50 + 7, 2**50 + 3, 2**50 + 9)),
    ]
    return {"about": "Leaders by round; `seed` is that of the epoch, hexadecimal.", "draws": rows}


def commit_digests() -> Vectors:
    """Return commits with their canonical bytes and digests."""
    twins = [_ref(1, 0, 17), _ref(1, 0, 34)]
    commits = {
        "the least commit: a leader alone": _commit(1, [_ref(1, 3, 1)]),
        "two rounds": _commit(2, [_ref(1, 0, 1), _ref(1, 1, 2), _ref(2, 1, 3)]),
        "twins, the second void": _commit(300, [*twins, _ref(2, 1, 3)], void=twins[1:]),
        "integers of every width": _commit(2**40, [_ref(70_000, 200, 9), _ref(2**33, 65_536, 8)]),
        "the greatest integers": _commit(2**63 - 1, [_ref(2**63 - 1, 2**63 - 1, 255)]),
    }
    return {
        "about": "Commits: canonical bytes and digest, hexadecimal.",
        "commits": [
            {
                "comment": comment,
                "bytes": COMMIT_CODEC.encode(commit).hex(),
                "digest": commit_digest(commit).hex(),
            }
            for comment, commit in commits.items()
        ],
        "genesis": [
            {"comment": comment, "genesis": genesis.hex(), "digest": _genesis_digest(genesis)}
            for comment, genesis in (("zeros", bytes(32)), ("ones", b"\xff" * 32))
        ],
    }


def headers() -> Vectors:
    """Return signed headers: bytes, digest, and the signature of the seat's fixed key."""
    context = context_of((1, 1, 1, 1))
    genesis = [genesis_ref(context.genesis_digest, author) for author in context.committee.indices]
    others = [_ref(1, author, author) for author in range(4)]
    report = EquivocationReport(_ref(1, 2, 1), _ref(1, 2, 2))
    vote = CommitVote(CommitIndex(7), Digest(b"\x07" * 32))
    return {
        "about": "Headers signed by the key whose seed is the author as 32 big-endian bytes.",
        "headers": [
            _signed("round 1 on genesis", 0, [genesis[0], *genesis[1:]]),
            _signed("payload of two items", 1, [others[1], others[0], *others[2:]], (b"a", b"bc")),
            _signed("a commit vote", 3, [others[3], *others[:3]], votes=(vote,)),
            _signed("a report", 2, [others[2], *others[:2]], reports=(report,)),
        ],
    }


def _draws(
    comment: str,
    powers: Sequence[int],
    *,
    chain: int = 1,
    count: int = 1,
    excluded: tuple[int, ...] = (),
) -> Row:
    parameters = Parameters(leaders_per_round=count)
    context = context_of(powers, parameters=parameters, chain=chain)
    record = ScheduleRecord(CommitIndex(0), tuple(map(AuthorityIndex, excluded)))
    schedule = LeaderSchedule(context, record)
    return {
        "comment": comment,
        "chain": chain,
        "powers": list(powers),
        "leaders_per_round": count,
        "excluded": list(excluded),
        "seed": context.seed.hex(),
        "rounds": list(ROUNDS),
        "leaders": [list(schedule.leaders(number)) for number in ROUNDS],
    }


def _commit(index: int, blocks: list[BlockRef], *, void: Sequence[BlockRef] = ()) -> Commit:
    return Commit(
        genesis=b"\xaa" * 32,
        index=index,
        previous=b"\xbb" * 32,
        timestamp_ms=1_700_000_000_000,
        leader=blocks[-1],
        blocks=tuple(blocks),
        void=tuple(void),
    )


def _genesis_digest(genesis: bytes) -> str:
    return genesis_commit_digest(Digest(genesis)).hex()


def _signed(
    comment: str,
    author: int,
    ancestors: Sequence[BlockRef],
    payload: tuple[bytes, ...] = (),
    *,
    votes: tuple[CommitVote, ...] = (),
    reports: tuple[EquivocationReport, ...] = (),
) -> Row:
    context = context_of((1, 1, 1, 1))
    header = Header(
        version=BLOCK_VERSION,
        genesis=context.genesis_digest,
        epoch=context.epoch,
        round=Round(ancestors[0].round + 1),
        author=AuthorityIndex(author),
        timestamp_ms=TimestampMs(1_700_000_000_000 + author),
        ancestors=tuple(ancestors),
        payload_root=payload_root(payload),
        payload_bytes=sum(map(len, payload)),
        payload_count=len(payload),
        commit_votes=votes,
        reports=reports,
    )
    block = sign_block(header, payload, key_of(author))
    assert HEADER_CODEC.encode(header) == block.signed.header
    return {
        "comment": comment,
        "author": author,
        "bytes": block.signed.header.hex(),
        "digest": block.ref.digest.hex(),
        "signature": block.signed.signature.hex(),
        "payload": [item.hex() for item in payload],
    }


def _ref(number: int, author: int, fill: int) -> BlockRef:
    return BlockRef(Round(number), AuthorityIndex(author), Digest(bytes([fill]) * 32))


ALL: Final = {
    "leader_schedule": leader_schedule,
    "commit_digest": commit_digests,
    "header": headers,
}


def text_of(vectors: Vectors) -> str:
    """Return the text of a file of vectors."""
    return json.dumps(vectors, indent=2) + "\n"


if __name__ == "__main__":
    for name, vectors in ALL.items():
        (FOLDER / f"{name}.json").write_text(text_of(vectors()), encoding="ascii")
