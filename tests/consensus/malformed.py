"""One row per way to break one rule of block validity (consensus.md 2.2), and no other.

A row spoils a valid block, and the author signs the result, so that nothing but the broken rule
can refuse it. Each row names the error class, hence the reason code, that must come out.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from consensus.block import (
    HEADER_BYTES_MAX,
    INT64_MAX,
    EquivocationReport,
    SignedBlock,
    genesis_ref,
)
from consensus.errors import (
    AncestorCountError,
    AncestorOrderError,
    AncestorRoundError,
    CommitVoteError,
    DuplicateAncestorError,
    GenesisAncestorError,
    GenesisRoundError,
    HeaderFormatError,
    OwnAncestorError,
    ParentQuorumError,
    PayloadLimitError,
    PayloadMismatchError,
    ReportError,
    StaleAncestorError,
    UnknownAncestorAuthorError,
    UnknownAuthorError,
    WrongEpochError,
    WrongVersionError,
)
from consensus.parameters import Parameters
from primitives.errors import InvalidBlockError
from primitives.ids import AuthorityIndex, Digest
from tests.consensus.bench import OWN, PAYLOAD, ROUND, Bench, report
from tests.consensus.builders import digest_of, phantom, vote
from tests.dsl.committee import context_of


class Malformed(NamedTuple):
    """A rule, and a block that breaks it."""

    name: str
    error: type[InvalidBlockError]
    build: Callable[[Bench], SignedBlock]


REF: Final = [19, OWN, bytes(32)]

FORMAT: Final = [
    ("no bytes", lambda b: b.raw(lambda _: b"")),
    ("one nil", lambda b: b.raw(lambda _: b"\xc0")),
    ("a map", lambda b: b.raw(lambda _: b"\x80")),
    ("a number", lambda b: b.raw(lambda _: b"\x07")),
    ("never used byte c1", lambda b: b.raw(lambda _: b"\xc1")),
    ("the last byte missing", lambda b: b.raw(lambda raw: raw[:-1])),
    ("a byte too many", lambda b: b.raw(lambda raw: raw + b"\x00")),
    ("the header twice", lambda b: b.raw(lambda raw: raw + raw)),
    ("a field missing", lambda b: b.raw(lambda raw: b"\x9b" + raw[1:-1])),
    ("a field too many", lambda b: b.raw(lambda raw: b"\x9d" + raw[1:] + b"\x00")),
    ("a wider array length", lambda b: b.raw(lambda raw: b"\xdc\x00\x0c" + raw[1:])),
    ("a wider version", lambda b: b.raw(lambda raw: raw[:1] + b"\xcc\x01" + raw[2:])),
    ("over the size limit", lambda b: b.raw(lambda raw: raw.ljust(HEADER_BYTES_MAX + 1, b"\0"))),
    ("nested too deep", lambda b: b.raw(lambda _: b"\x91" * 100_000 + b"\xc0")),
    ("a length that lies", lambda b: b.raw(lambda _: b"\xdd\xff\xff\xff\xff")),
    ("version as text", lambda b: b.field(0, "1")),
    ("version as float", lambda b: b.field(0, 1.0)),
    ("version as truth", lambda b: b.field(0, True)),
    ("genesis of 31 bytes", lambda b: b.field(1, bytes(31))),
    ("genesis of 33 bytes", lambda b: b.field(1, bytes(33))),
    ("genesis as text", lambda b: b.field(1, "x" * 32)),
    ("negative epoch", lambda b: b.field(2, -1)),
    ("epoch beyond 63 bits", lambda b: b.field(2, INT64_MAX + 1)),
    ("negative round", lambda b: b.field(3, -1)),
    ("round beyond 63 bits", lambda b: b.field(3, INT64_MAX + 1)),
    ("negative author", lambda b: b.field(4, -1)),
    ("author beyond 63 bits", lambda b: b.field(4, INT64_MAX + 1)),
    ("no author", lambda b: b.field(4, None)),
    ("negative time", lambda b: b.field(5, -1)),
    ("time beyond 63 bits", lambda b: b.field(5, INT64_MAX + 1)),
    ("ancestors as bytes", lambda b: b.field(6, bytes(3))),
    ("ancestors as map", lambda b: b.field(6, {0: REF})),
    ("ref as bytes", lambda b: b.field(6, [bytes(32)])),
    ("ref without digest", lambda b: b.field(6, [REF[:2]])),
    ("ref with a fourth field", lambda b: b.field(6, [[*REF, 0]])),
    ("ref of 31 bytes", lambda b: b.field(6, [[19, OWN, bytes(31)]])),
    ("ref of 33 bytes", lambda b: b.field(6, [[19, OWN, bytes(33)]])),
    ("ref of negative round", lambda b: b.field(6, [[-1, OWN, bytes(32)]])),
    ("ref by negative author", lambda b: b.field(6, [[19, -1, bytes(32)]])),
    ("root of 31 bytes", lambda b: b.field(7, bytes(31))),
    ("negative payload size", lambda b: b.field(8, -1)),
    ("negative payload count", lambda b: b.field(9, -1)),
    ("vote without digest", lambda b: b.field(10, [[1]])),
    ("vote of 31 bytes", lambda b: b.field(10, [[1, bytes(31)]])),
    ("negative vote", lambda b: b.field(10, [[-1, bytes(32)]])),
    ("report of one ref", lambda b: b.field(11, [[REF]])),
    ("report of three refs", lambda b: b.field(11, [[REF, REF, REF]])),
    ("no reports field", lambda b: b.field(11, None)),
]

IDENTITY: Final = [
    ("version 0", WrongVersionError, lambda b: b.change(version=0)),
    ("next version", WrongVersionError, lambda b: b.change(version=2)),
    ("highest version", WrongVersionError, lambda b: b.change(version=INT64_MAX)),
    ("next epoch", WrongEpochError, lambda b: b.change(epoch=1)),
    ("any genesis", WrongEpochError, lambda b: b.change(genesis=digest_of("other"))),
    ("another chain", WrongEpochError, lambda b: b.change(genesis=_genesis(b, chain=2))),
    ("other committee", WrongEpochError, lambda b: b.change(genesis=_genesis(b, extra=1))),
    ("other parameters", WrongEpochError, lambda b: b.change(genesis=_genesis(b, gc_depth=6))),
    ("round zero", GenesisRoundError, lambda b: b.change(round=0)),
    ("author just outside", UnknownAuthorError, lambda b: b.change(author=b.size)),
    ("author far outside", UnknownAuthorError, lambda b: b.change(author=INT64_MAX)),
]

ANCESTORS: Final = [
    ("no ancestor", AncestorCountError, lambda b: b.on([])),
    (
        "more ancestors than authors",
        AncestorCountError,
        lambda b: b.on([*b.header.ancestors, phantom(ROUND - 2, 0)]),
    ),
    ("no own ancestor", OwnAncestorError, lambda b: b.on(b.header.ancestors[1:])),
    (
        "own ancestor in its author's place",
        OwnAncestorError,
        lambda b: b.on(sorted(b.header.ancestors, key=lambda ref: ref.author)),
    ),
    ("own ancestor beside", AncestorRoundError, lambda b: b.on_own(phantom(ROUND, OWN))),
    ("own ancestor above", AncestorRoundError, lambda b: b.on_own(phantom(ROUND + 1, OWN))),
    ("own ancestor far above", AncestorRoundError, lambda b: b.on_own(phantom(INT64_MAX, OWN))),
    ("ancestor beside", AncestorRoundError, lambda b: b.on_last(phantom(ROUND, b.size - 1))),
    ("ancestor above", AncestorRoundError, lambda b: b.on_last(phantom(ROUND + 1, b.size - 1))),
    (
        "ancestor far above",
        AncestorRoundError,
        lambda b: b.on_last(phantom(INT64_MAX, b.size - 1)),
    ),
    ("forged own genesis", GenesisAncestorError, lambda b: b.on_own(phantom(0, OWN))),
    (
        "genesis of another as own",
        GenesisAncestorError,
        lambda b: b.on_own(msgspec.structs.replace(b.forge.genesis()[0], author=OWN)),
    ),
    (
        "forged genesis as parent",
        GenesisAncestorError,
        lambda b: b.at_round(1, phantom(0, b.size - 1)),
    ),
    (
        "forged genesis as weak link",
        GenesisAncestorError,
        lambda b: b.at_round(3, phantom(0, b.size - 1)),
    ),
    (
        "genesis of another chain",
        GenesisAncestorError,
        lambda b: b.at_round(1, genesis_ref(_genesis(b, chain=2), AuthorityIndex(b.size - 1))),
    ),
    (
        "ancestor by nobody",
        UnknownAncestorAuthorError,
        lambda b: b.on_last(phantom(ROUND - 1, b.size)),
    ),
    (
        "ancestor by nobody by far",
        UnknownAncestorAuthorError,
        lambda b: b.on_last(phantom(ROUND - 1, INT64_MAX)),
    ),
    (
        "second own ancestor",
        DuplicateAncestorError,
        lambda b: b.on_last(phantom(ROUND - 2, OWN)),
    ),
    (
        "twins as parents",
        DuplicateAncestorError,
        lambda b: b.on([*b.header.ancestors[:-1], phantom(ROUND - 1, b.size - 2, "twin")]),
    ),
    (
        "one block twice",
        DuplicateAncestorError,
        lambda b: b.on([*b.header.ancestors[:-1], b.header.ancestors[-2]]),
    ),
    (
        "an author's parent and weak link",
        DuplicateAncestorError,
        lambda b: b.on([*b.header.ancestors[:-1], phantom(ROUND - 2, b.size - 2)]),
    ),
    (
        "the same author twice, apart",
        DuplicateAncestorError,
        lambda b: b.on([*b.header.ancestors[:-1], phantom(ROUND - 2, 0)]),
    ),
    (
        "descending authors",
        AncestorOrderError,
        lambda b: b.on([b.header.ancestors[0], *reversed(b.header.ancestors[1:])]),
    ),
    (
        "last two swapped",
        AncestorOrderError,
        lambda b: b.on([*b.header.ancestors[:-2], *reversed(b.header.ancestors[-2:])]),
    ),
    ("own block alone", ParentQuorumError, lambda b: b.on(b.header.ancestors[:1])),
    (
        "one short of a quorum",
        ParentQuorumError,
        lambda b: b.on_power(b.context.committee.quorum - 1),
    ),
    (
        "validity instead of quorum",
        ParentQuorumError,
        lambda b: b.on_power(b.context.committee.validity),
    ),
    (
        "everybody, two rounds below",
        ParentQuorumError,
        lambda b: b.on([phantom(ROUND - 2, ref.author) for ref in b.header.ancestors]),
    ),
    (
        "one below the horizon",
        StaleAncestorError,
        lambda b: b.on_last(phantom(ROUND - 6, b.size - 1)),
    ),
    ("first round", StaleAncestorError, lambda b: b.on_last(phantom(1, b.size - 1))),
    ("genesis, long ago", StaleAncestorError, lambda b: b.on_last(b.forge.genesis()[-1])),
]

PAYLOADS: Final = [
    ("item too large", PayloadLimitError, lambda b: b.carrying(bytes(41))),
    ("last item too large", PayloadLimitError, lambda b: b.carrying(b"", bytes(41))),
    ("sum too large", PayloadLimitError, lambda b: b.carrying(bytes(40), bytes(40), bytes(21))),
    ("too many items", PayloadLimitError, lambda b: b.carrying(*[b"x"] * 5)),
    ("too many empty items", PayloadLimitError, lambda b: b.carrying(*[b""] * 5)),
    ("no body", PayloadMismatchError, lambda b: b.signed(b.header, ())),
    ("an item missing", PayloadMismatchError, lambda b: b.signed(b.header, PAYLOAD[1:])),
    ("an item too many", PayloadMismatchError, lambda b: b.signed(b.header, (*PAYLOAD, b""))),
    ("items reversed", PayloadMismatchError, lambda b: b.signed(b.header, PAYLOAD[::-1])),
    (
        "a byte changed",
        PayloadMismatchError,
        lambda b: b.signed(b.header, (b"a" * 9 + b"A", *PAYLOAD[1:])),
    ),
    (
        "a byte moved",
        PayloadMismatchError,
        lambda b: b.signed(b.header, (b"a" * 9, b"a" + b"b" * 20, PAYLOAD[2])),
    ),
    ("count too low", PayloadMismatchError, lambda b: b.change(payload_count=2)),
    ("count too high", PayloadMismatchError, lambda b: b.change(payload_count=INT64_MAX)),
    ("size too low", PayloadMismatchError, lambda b: b.change(payload_bytes=59)),
    ("size too high", PayloadMismatchError, lambda b: b.change(payload_bytes=INT64_MAX)),
    ("any root", PayloadMismatchError, lambda b: b.change(payload_root=digest_of("root"))),
]

VOTES_AND_REPORTS: Final = [
    (
        "more votes than authors",
        CommitVoteError,
        lambda b: b.change(
            commit_votes=tuple(vote(index + 1, digest_of(index)) for index in range(b.size + 1))
        ),
    ),
    (
        "vote for commit zero",
        CommitVoteError,
        lambda b: b.change(commit_votes=(vote(0, digest_of(0)),)),
    ),
    (
        "two votes for one commit",
        CommitVoteError,
        lambda b: b.change(commit_votes=(vote(3, digest_of(0)), vote(3, digest_of(1)))),
    ),
    (
        "descending votes",
        CommitVoteError,
        lambda b: b.change(commit_votes=(vote(4, digest_of(0)), vote(3, digest_of(1)))),
    ),
    ("too many reports", ReportError, lambda b: _reports(b, *(report(2, n) for n in range(3)))),
    ("report of two rounds", ReportError, lambda b: _report(b, (9, 0, "a"), (8, 0, "b"))),
    ("report of two authors", ReportError, lambda b: _report(b, (9, 0, "a"), (9, 1, "b"))),
    ("report of one block", ReportError, lambda b: _report(b, (9, 0, "a"), (9, 0, "a"))),
    (
        "report in descending order",
        ReportError,
        lambda b: _reports(b, EquivocationReport(report(9, 0).second, report(9, 0).first)),
    ),
    ("report on nobody", ReportError, lambda b: _reports(b, report(9, b.size))),
    ("report on nobody by far", ReportError, lambda b: _reports(b, report(9, INT64_MAX))),
    ("one author twice", ReportError, lambda b: _reports(b, report(8, 0), report(9, 0))),
    ("descending reports", ReportError, lambda b: _reports(b, report(8, 1), report(9, 0))),
    ("report on genesis", ReportError, lambda b: _reports(b, report(0, 0))),
]


def _genesis(bench: Bench, *, chain: int = 1, extra: int = 0, gc_depth: int = 5) -> Digest:
    powers = (*bench.context.committee.powers, *([1] * extra))
    parameters = msgspec.structs.replace(bench.context.parameters, gc_depth=gc_depth)
    assert isinstance(parameters, Parameters)
    return context_of(powers, parameters=parameters, chain=chain).genesis_digest


def _reports(bench: Bench, *reports: EquivocationReport) -> SignedBlock:
    return bench.change(reports=reports)


def _report(bench: Bench, *refs: tuple[int, int, str]) -> SignedBlock:
    first, second = sorted((phantom(*ref) for ref in refs), key=lambda ref: ref.digest)
    return _reports(bench, EquivocationReport(first, second))


MALFORMED: Final = [
    *(Malformed(name, HeaderFormatError, build) for name, build in FORMAT),
    *(Malformed(*row) for row in (*IDENTITY, *ANCESTORS, *PAYLOADS, *VOTES_AND_REPORTS)),
]
