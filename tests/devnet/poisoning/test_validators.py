import pytest

from devnet.attacks.poisoning.validators import LIES, PRAISE, Ballot, Cartel, Kind

BALLOT = Ballot(alone=(50, -20, 30), left_out=(5, 1, 3), changes=(-10, 4))
CARTEL = Cartel(friends=frozenset({1}))


@pytest.mark.parametrize("kind", Kind)
def test_every_lie_is_as_long_as_the_ballot(kind: Kind) -> None:
    said = LIES[kind](BALLOT, CARTEL)
    assert len(said.alone) == len(said.left_out) == 3
    assert len(said.changes) == 2


def test_inverted_ballot_praises_friends_and_turns_the_guard_round() -> None:
    said = LIES[Kind.INVERTED](BALLOT, CARTEL)
    assert said.alone == (-PRAISE, PRAISE, -PRAISE)
    assert said.changes == (PRAISE, -PRAISE)


def test_colluders_are_honest_about_strangers() -> None:
    said = LIES[Kind.COLLUDING](BALLOT, CARTEL)
    assert said.alone == (50, PRAISE, 30)
    assert set(said.changes) == {-PRAISE}


def test_constant_ballot_does_not_depend_on_what_was_found() -> None:
    other = Ballot(alone=(1, 2, 3), left_out=(0, 0, 0), changes=(9, 9))
    lie = LIES[Kind.CONSTANT]
    assert lie(BALLOT, CARTEL) == lie(other, CARTEL)


def test_lazy_copy_repeats_the_ballot_before_and_starts_honestly() -> None:
    before = Ballot(alone=(1, 2, 3), left_out=(4, 5, 6))
    lie = LIES[Kind.COPY]
    assert lie(BALLOT, CARTEL) == BALLOT
    assert lie(BALLOT, Cartel(frozenset(), before)).alone == (1, 2, 3)
