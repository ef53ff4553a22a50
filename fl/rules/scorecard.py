"""What trainers and validators commit to, and how a validator's judgement is written down.

A scorecard has one record of `RECORD_SIZE_BYTES` for each update of the round, in order, all
numbers big-endian and unsigned:

    alone (4) | left out (4) | verdict (1) | original (1) | cluster (1) | norm (8)

The two scores are int32 plus 2**31, in units of 100 micro-nats. They are the validator's opinion.
The last eleven bytes are facts about the blob, the same for every honest validator, and count only
when two thirds of the power give equal bytes. `original` is an update with the same canonical
content and `cluster` one that is nearly the same, in both cases the least such index (its own if
there is none). Records of updates that are not available are ignored.
"""

from dataclasses import dataclass
from typing import Final

from primitives.hashing import sha256
from primitives.ids import Address

RECORD_SIZE_BYTES: Final = 19
SCORES_SIZE_BYTES: Final = 8
SCORE_OFFSET: Final = 2**31

VALID: Final = 0
MALFORMED: Final = 1
REPLAY: Final = 2

_UPDATE_TAG: Final = b"hanse/update-commitment/1"
_SCORES_TAG: Final = b"hanse/scores-commitment/1"


@dataclass(frozen=True, slots=True)
class Place:
    """The round and the key that a commitment is bound to, so that nobody can copy it."""

    task: int
    round: int
    key: Address


@dataclass(frozen=True, slots=True)
class Facts:
    """What two thirds of the power agree on about one blob."""

    verdict: int
    original: int
    cluster: int
    norm: int

    def fits(self, update_count: int) -> bool:
        """Tell whether the numbers mean anything in a round of so many updates."""
        return (
            self.verdict <= REPLAY
            and self.original < update_count
            and self.cluster < update_count
            and self.norm < 2**63
        )


@dataclass(frozen=True, slots=True)
class Record:
    """One validator's judgement of one update; scores in 100 micro-nats."""

    alone: int
    left_out: int
    facts: Facts


def commit_update(place: Place, *, root: bytes, salt: bytes) -> bytes:
    """Return what a trainer commits to; the root and the salt have 32 bytes each."""
    return sha256(_UPDATE_TAG + _place_bytes(place) + root + salt)


def commit_scores(place: Place, *, card: bytes, salt: bytes) -> bytes:
    """Return what a validator commits to; the salt has 32 bytes."""
    return sha256(_SCORES_TAG + _place_bytes(place) + salt + card)


def write_record(record: Record) -> bytes:
    """Return the bytes of one record."""
    facts = record.facts
    return (
        (record.alone + SCORE_OFFSET).to_bytes(4, "big")
        + (record.left_out + SCORE_OFFSET).to_bytes(4, "big")
        + bytes((facts.verdict, facts.original, facts.cluster))
        + facts.norm.to_bytes(8, "big")
    )


def record_at(card: bytes, index: int) -> bytes:
    """Return the bytes of the record of one update."""
    return card[index * RECORD_SIZE_BYTES : (index + 1) * RECORD_SIZE_BYTES]


def facts_bytes(record: bytes) -> bytes:
    """Return the part of a record that two thirds of the power must agree on."""
    return record[SCORES_SIZE_BYTES:]


def read_facts(raw: bytes) -> Facts:
    """Return what those eleven bytes say, without judging it."""
    return Facts(
        verdict=raw[0],
        original=raw[1],
        cluster=raw[2],
        norm=int.from_bytes(raw[3:], "big"),
    )


def read_alone(record: bytes) -> int:
    """Return how much the update alone lowers the loss."""
    return int.from_bytes(record[:4], "big") - SCORE_OFFSET


def read_left_out(record: bytes) -> int:
    """Return how much the loss rises when the update is left out of the aggregate of all."""
    return int.from_bytes(record[4:8], "big") - SCORE_OFFSET


def _place_bytes(place: Place) -> bytes:
    return place.task.to_bytes(8, "big") + place.round.to_bytes(8, "big") + place.key
