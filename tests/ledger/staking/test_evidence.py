import msgspec
import pytest

from node.ledger.staking.boundary import seat
from node.ledger.staking.errors import (
    AlreadyPunishedError,
    EvidenceAuthorError,
    EvidenceEpochError,
    EvidenceExpiredError,
    LesserOffenceError,
    UnbondedError,
)
from node.ledger.staking.evidence import Charge, check_charge, judging_committee
from node.ledger.staking.records import Keys, Offence, Standing
from primitives.ids import AuthorityIndex, Epoch
from tests.ledger.staking.town import SMALL, Town, keys_of, person

CONFLICT = Offence.CONFLICTING_VOTES


@pytest.fixture(name="town")
def _town() -> Town:
    return Town({"A": 400, "B": 300, "C": 200, "D": 100}, people="x")


def charge_of(epoch: int, author: int, offence: Offence = Offence.EQUIVOCATION) -> Charge:
    return Charge(Epoch(epoch), AuthorityIndex(author), offence)


def test_an_offender_is_tombstoned_and_loses_its_seat_at_the_end_of_the_epoch(town: Town) -> None:
    town.punish("A")
    assert town.pool("A").standing is Standing.TOMBSTONED
    assert "A" in town.powers
    town.end_epoch()
    assert set(town.powers) == {"B", "C", "D"}


def test_evidence_counts_until_the_end_of_the_window(town: Town) -> None:
    town.end_epoch(SMALL.evidence_window_epochs)
    town.punish("A", epoch=0)


def test_older_evidence_is_expired(town: Town) -> None:
    author = town.seat_of("A")
    town.end_epoch(SMALL.evidence_window_epochs + 1)
    with pytest.raises(EvidenceExpiredError) as refused:
        town.charge(charge_of(0, author))
    assert (refused.value.offence, refused.value.oldest) == (0, 1)
    town.punish("A", epoch=1)


def test_an_epoch_that_has_not_begun_has_no_offences(town: Town) -> None:
    with pytest.raises(EvidenceEpochError):
        town.charge(charge_of(1, 0))


def test_a_seat_that_does_not_exist_has_no_offences(town: Town) -> None:
    with pytest.raises(EvidenceAuthorError):
        town.charge(charge_of(0, 4))


def test_replayed_evidence_is_refused(town: Town) -> None:
    town.punish("A")
    for _ in range(SMALL.evidence_window_epochs):
        with pytest.raises(AlreadyPunishedError):
            town.punish("A", epoch=0)
        town.end_epoch()


def test_a_second_equivocation_costs_nothing_more(town: Town) -> None:
    town.end_epoch()
    town.punish("A", epoch=1)
    tokens = town.pool("A").tokens
    with pytest.raises(AlreadyPunishedError):
        town.punish("A", epoch=0)
    assert town.pool("A").tokens == tokens


def test_a_lesser_offence_of_the_tombstoned_is_not_punished(town: Town) -> None:
    town.punish("A", CONFLICT)
    with pytest.raises(LesserOffenceError):
        town.punish("A", Offence.EQUIVOCATION)


def test_an_own_report_is_no_shield_against_a_graver_offence(town: Town) -> None:
    assert town.punish("A", reporter="A").burned == 19
    sentence = town.punish("A", CONFLICT)
    assert sentence.burned == 380
    assert town.pool("A").offences == (Offence.EQUIVOCATION, CONFLICT)
    with pytest.raises(AlreadyPunishedError):
        town.punish("A", CONFLICT)


def test_a_refused_charge_changes_nothing(town: Town) -> None:
    town.punish("A")
    before = town.entries()
    with pytest.raises(AlreadyPunishedError):
        town.punish("A", reporter="x")
    assert town.entries() == before


def test_evidence_after_everybody_left_within_the_window_still_hits(town: Town) -> None:
    town.undelegate("A", "A", 400)
    town.end_epoch()
    assert "A" not in town.powers
    assert town.pool("A").tokens == 0
    assert town.punish("A", epoch=0).burned == 20
    town.end_epoch(3)
    assert town.withdraw("A", "A") == 380


def test_evidence_about_stake_that_only_moved_still_hits(town: Town) -> None:
    town.redelegate("A", "A", "B", 400)
    town.end_epoch()
    assert town.punish("A", epoch=0).burned == 20


def test_a_validator_with_nothing_at_stake_is_unbonded() -> None:
    town = Town({"A": 400}, people="x")
    town.undelegate("A", "A", 400)
    town.end_epoch(2)
    # Nobody else is there, so A rules on, though its stake left at the end of epoch 0.
    assert town.powers == {"A": 10_000}
    with pytest.raises(UnbondedError):
        town.punish("A", epoch=1)
    town.punish("A", epoch=0)


def test_old_evidence_is_judged_by_the_keys_of_its_epoch(town: Town) -> None:
    keys = Keys(person("new consensus"), person("new node"))
    town.rotate("A", keys)
    town.end_epoch()
    old = judging_committee(town.overlay, term=town.term, epoch=Epoch(0))
    new = judging_committee(town.overlay, term=town.term, epoch=Epoch(1))
    assert old[town.seat_of("A", epoch=0)].keys == keys_of("A")
    assert new[town.seat_of("A", epoch=1)].keys == keys
    assert town.punish("A", epoch=0).operator == person("A")


def test_an_index_names_who_had_the_seat_then(town: Town) -> None:
    town.delegate("D", "D", 900)
    before = town.seat_of("A")
    town.end_epoch()
    assert town.seat_of("A") != before
    charge = charge_of(0, before)
    assert check_charge(town.overlay, term=town.term, charge=charge).operator == person("A")


def test_a_committee_is_forgotten_with_its_evidence(town: Town) -> None:
    entries = town.entries()
    town.end_epoch(SMALL.evidence_window_epochs)
    committees = [key for key in town.entries() if key.startswith(b"\x08")]
    assert len(committees) == SMALL.evidence_window_epochs + 1
    town.end_epoch(10)
    assert len([key for key in town.entries() if key.startswith(b"\x08")]) == len(committees)
    assert any(key.startswith(b"\x08") for key in entries)


def test_offences_of_equal_gravity_are_punished_once() -> None:
    even = msgspec.structs.replace(SMALL, slash_conflict_bp=SMALL.slash_equivocation_bp)
    town = Town({"A": 400, "B": 300, "C": 200, "D": 100}, parameters=even)
    town.punish("A", CONFLICT)
    with pytest.raises(LesserOffenceError):
        town.punish("A", Offence.EQUIVOCATION)


def test_a_seat_is_judged_also_in_a_committee_of_one(town: Town) -> None:
    seat(town.overlay, town.epoch, town.members[:1])
    with pytest.raises(EvidenceAuthorError):
        town.charge(charge_of(0, 1))
