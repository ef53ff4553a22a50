from node.execution.local_chain import LocalChain
from tests.contracts.cast import refused

INITIAL = 6_554


def test_who_is_unknown_has_a_tenth(chain: LocalChain) -> None:
    reputation = chain.contract("reputation")
    assert reputation.reputation_of(0, chain.account("bob"), 1) == INITIAL
    assert reputation.standing_of(0, chain.account("bob"), 1) is None


def test_rounds_notes_what_an_identity_is_worth_to_a_task(chain: LocalChain) -> None:
    bob, rounds, reputation = chain.account("bob"), chain.contract("rounds"), "reputation"
    rounds.note(3, bob, 1, 9_000)
    rounds.note(3, bob, 1, 9_500)
    assert chain.contract(reputation).reputation_of(3, bob, 1) == 9_500
    assert chain.contract(reputation).standing_of(3, bob, 1) == {
        "reputation": 9_500,
        "notes": 2,
        "height": 1,
    }


def test_a_reputation_may_fall_to_nothing(chain: LocalChain) -> None:
    chain.contract("rounds").note(3, chain.account("bob"), 1, 0)
    assert chain.contract("reputation").reputation_of(3, chain.account("bob"), 1) == 0


def test_only_rounds_may_note_a_reputation(chain: LocalChain) -> None:
    for outsider in ("bob", "validator-0"):
        with refused("only rounds may note a reputation"):
            chain.contract("reputation").note(3, chain.account("bob"), 1, 65_536, sender=outsider)


def test_reputations_of_other_tasks_and_people_are_their_own(chain: LocalChain) -> None:
    bob, carol = chain.account("bob"), chain.account("carol")
    chain.contract("rounds").note(3, bob, 1, 9_000)
    reputation = chain.contract("reputation")
    assert reputation.reputation_of(4, bob, 1) == INITIAL
    assert reputation.reputation_of(3, carol, 1) == INITIAL


def test_who_registers_again_starts_anew_and_late_news_of_before_change_nothing(
    chain: LocalChain,
) -> None:
    bob, rounds = chain.account("bob"), chain.contract("rounds")
    reputation = chain.contract("reputation")
    rounds.note(3, bob, 1, 60_000)
    assert reputation.reputation_of(3, bob, 8) == INITIAL
    rounds.note(3, bob, 8, 7_000)
    rounds.note(3, bob, 1, 61_000)
    assert reputation.reputation_of(3, bob, 8) == 7_000


def test_a_note_is_announced(chain: LocalChain) -> None:
    bob, rounds, reputation = (
        chain.account("bob"),
        chain.contract("rounds"),
        chain.contract("reputation"),
    )
    rounds.note(3, bob, 1, 9_000)
    reputation.receipt = rounds.receipt
    fields = {"task": 3, "who": bob, "registered_at": 1, "reputation": 9_000}
    assert reputation.events() == [("Noted", fields)]


def test_a_note_costs_bounded_gas(chain: LocalChain) -> None:
    rounds = chain.contract("rounds")
    rounds.note(3, chain.account("bob"), 1, 9_000)
    assert rounds.gas_used < 20_000
