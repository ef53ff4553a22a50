import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.ledger.account import SystemAccount, balance_of, credit, transfer
from node.ledger.chain import Supply, read_chain, write_chain
from node.ledger.errors import InsufficientBalanceError, SupplyError
from node.ledger.overlay import Overlay
from node.ledger.supply import burn, check_supply, count_burned, mint
from node.ledger.wire import INT63_MAX
from primitives.ids import Grain
from tests.ledger.builders import Dictionary, address_of, chain_record

ANNA, BEN = address_of(1), address_of(2)


def chain_with(supply: int) -> Overlay:
    overlay = Overlay(Dictionary())
    write_chain(overlay, chain_record(supply))
    credit(overlay, ANNA, Grain(supply))
    return overlay


def dump(overlay: Overlay) -> list[tuple[bytes, bytes]]:
    return [(key, value) for key, value in overlay.changes().items() if value is not None]


def test_a_fresh_chain_holds_what_genesis_gave() -> None:
    assert check_supply(dump(chain_with(100))) == Supply(Grain(100))


def test_minted_money_is_counted() -> None:
    overlay = chain_with(100)
    assert mint(overlay, recipient=BEN, amount=Grain(11)) == 11
    assert balance_of(overlay, BEN) == 11
    assert check_supply(dump(overlay)) == Supply(Grain(100), minted=Grain(11))


def test_minting_stops_where_a_balance_would_no_longer_fit() -> None:
    overlay = chain_with(INT63_MAX - 3)
    assert mint(overlay, recipient=BEN, amount=Grain(5)) == 3
    assert mint(overlay, recipient=BEN, amount=Grain(5)) == 0
    assert check_supply(dump(overlay)).minted == 3


def test_burned_money_does_not_make_room_for_more() -> None:
    # Otherwise the counters themselves would outgrow their fields.
    overlay = chain_with(INT63_MAX)
    burn(overlay, owner=ANNA, amount=Grain(5))
    assert mint(overlay, recipient=BEN, amount=Grain(5)) == 0


def test_burning_more_than_there_is_writes_nothing() -> None:
    overlay = chain_with(10)
    mark = overlay.mark()
    with pytest.raises(InsufficientBalanceError):
        burn(overlay, owner=ANNA, amount=Grain(11))
    assert overlay.mark() == mark


def test_stakes_and_escrow_count_as_the_balances_that_they_are() -> None:
    overlay = chain_with(100)
    transfer(overlay, sender=ANNA, recipient=SystemAccount.STAKE.address, amount=Grain(60))
    check_supply(dump(overlay))


@pytest.mark.parametrize("difference", [1, -1])
def test_a_grain_from_nowhere_or_to_nowhere_is_noticed(difference: int) -> None:
    overlay = chain_with(100)
    write_chain(overlay, chain_record(100 + difference))
    with pytest.raises(SupplyError) as caught:
        check_supply(dump(overlay))
    assert (caught.value.expected, caught.value.actual) == (100 + difference, 100)


def test_money_without_a_chain_is_noticed() -> None:
    overlay = Overlay(Dictionary())
    credit(overlay, ANNA, Grain(1))
    with pytest.raises(SupplyError):
        check_supply(dump(overlay))


STEPS = st.tuples(st.sampled_from(["mint", "burn", "fee", "move"]), st.integers(0, 40))


@settings(max_examples=100, deadline=None)
@given(st.lists(STEPS, max_size=20))
def test_no_sequence_of_steps_changes_the_supply_uncounted(steps: list[tuple[str, int]]) -> None:
    overlay = chain_with(100)
    for step, wish in steps:
        amount = Grain(min(wish, balance_of(overlay, ANNA)))
        if step == "mint":
            mint(overlay, recipient=ANNA, amount=Grain(wish))
        elif step == "burn":
            burn(overlay, owner=ANNA, amount=amount)
        elif step == "fee":
            transfer(overlay, sender=ANNA, recipient=BEN, amount=amount)
            burn(overlay, owner=BEN, amount=amount)
            count_burned(overlay, Grain(0))
        else:
            transfer(overlay, sender=ANNA, recipient=BEN, amount=amount)
        check_supply(dump(overlay))
    assert read_chain(overlay).supply.genesis == 100
