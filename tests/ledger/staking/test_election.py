from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.ledger.staking.election import Candidate, Wish, elect, power_change
from node.ledger.staking.parameters import StakingParameters
from node.ledger.staking.power import powers_of
from node.ledger.staking.records import Keys, Member, Members
from primitives.ids import Address, Grain, Power

RULES = StakingParameters(committee_size_max=20)
KEYS = Keys(bytes(32), bytes(32))


def operator_of(name: str) -> Address:
    return Address(name.encode().rjust(32, b"\x00"))


def name_of(address: Address) -> str:
    return address.lstrip(b"\x00").decode()


def committee_of(stakes: dict[str, int]) -> Members:
    """Return the committee in which each seat has the power of its stake."""
    ranked = sorted(stakes, key=lambda name: (-stakes[name], operator_of(name)))
    powers = powers_of([stakes[name] for name in ranked], power_cap=RULES.power_cap)
    return tuple(
        Member(
            operator=operator_of(name),
            keys=KEYS,
            stake=Grain(stakes[name]),
            weight=Grain(stakes[name]),
            power=power,
        )
        for name, power in zip(ranked, powers, strict=True)
    )


def candidates_of(wish: Wish, stakes: dict[str, int]) -> list[Candidate]:
    return [
        Candidate(operator=operator_of(name), keys=KEYS, stake=Grain(stake), wish=wish)
        for name, stake in stakes.items()
    ]


def staying(names: str, stake: int = 100) -> list[Candidate]:
    return candidates_of(Wish.STAY, dict.fromkeys(names, stake))


def joining(names: str, stake: int = 100) -> list[Candidate]:
    return candidates_of(Wish.JOIN, dict.fromkeys(names, stake))


def leaving(names: str, stake: int = 10) -> list[Candidate]:
    return candidates_of(Wish.LEAVE, dict.fromkeys(names, stake))


def names_elected(
    ruling: Members, candidates: Sequence[Candidate], rules: StakingParameters = RULES
) -> str:
    elected = elect(ruling, candidates, parameters=rules)
    return "".join(sorted(name_of(member.operator) for member in elected))


def powers_in(members: Members) -> dict[Address, Power]:
    return {member.operator: member.power for member in members}


FOUR = committee_of(dict.fromkeys("ABCD", 100))
SEVEN = committee_of(dict.fromkeys("ABCDEFG", 100))


@pytest.mark.parametrize(
    ("ruling", "candidates", "elected"),
    [
        pytest.param(FOUR, staying("ABCD"), "ABCD", id="nothing happened"),
        pytest.param((), joining("ABCDEFG"), "ABCDEFG", id="the first committee"),
        pytest.param(FOUR, [*staying("ABCD"), *joining("E")], "ABCDE", id="2,000 to one newcomer"),
        # Two of six have 1,666 each; three of seven would have 4,285.
        pytest.param(
            FOUR, [*staying("ABCD"), *joining("EFG")], "ABCDEF", id="3,332 to two newcomers"
        ),
        pytest.param(
            SEVEN, [*staying("ABCDEFG"), *joining("HIJ")], "ABCDEFGHIJ", id="3,000 to three"
        ),
        # Four of eleven, 909 each, would be 3,636.
        pytest.param(
            SEVEN, [*staying("ABCDEFG"), *joining("HIJK")], "ABCDEFGHIJ", id="the fourth waits"
        ),
        pytest.param(FOUR, staying("ABC"), "ABC", id="who is no candidate leaves at once"),
        pytest.param(FOUR, staying("A"), "A", id="also if that is more than a third"),
        pytest.param(FOUR, [*staying("ABC"), *leaving("D")], "ABC", id="2,500 of a weak seat"),
        # Without both, A and B would gain 5,000.
        pytest.param(
            FOUR,
            [*staying("AB"), *leaving("C", 9), *leaving("D", 8)],
            "ABC",
            id="the weaker of two weak seats leaves first",
        ),
        pytest.param(FOUR, leaving("ABCD"), "ABC", id="one at a time"),
        pytest.param(
            FOUR, [*staying("ABC"), *leaving("D"), *joining("E")], "ABCE", id="one for one"
        ),
        pytest.param(FOUR, joining("EFGH"), "EFGH", id="if no seat is left, all may be new"),
        pytest.param(committee_of({"A": 1}), [*staying("A"), *joining("B")], "AB", id="one to two"),
        pytest.param(
            committee_of({"A": 2, "B": 2, "C": 2}),
            [*staying("ABC"), *joining("DEFG")],
            "ABCDEFG",
            id="less than four tolerate no fault, so they may change at will",
        ),
    ],
)
def test_who_rules_next(ruling: Members, candidates: list[Candidate], elected: str) -> None:
    assert names_elected(ruling, candidates) == elected


def test_the_greatest_stakes_get_the_seats() -> None:
    rules = msgspec.structs.replace(RULES, committee_size_max=3)
    candidates = candidates_of(Wish.JOIN, {"A": 5, "B": 9, "C": 7, "D": 6})
    assert names_elected((), candidates, rules) == "BCD"


def test_a_tie_goes_to_the_lower_address() -> None:
    rules = msgspec.structs.replace(RULES, committee_size_max=2)
    assert names_elected((), joining("CAB"), rules) == "AB"


@pytest.mark.parametrize(
    ("stake", "elected"),
    [
        pytest.param(101, "ABCE", id="more than the least seat"),
        pytest.param(100, "ABCD", id="as much: who sits stays"),
        pytest.param(99, "ABCD", id="less"),
    ],
)
def test_a_full_committee_gives_a_seat_to_who_has_more(stake: int, elected: str) -> None:
    rules = msgspec.structs.replace(RULES, committee_size_max=4)
    candidates = [*staying("ABC", 200), *staying("D", 100), *joining("E", stake)]
    ruling = committee_of({"A": 200, "B": 200, "C": 200, "D": 100})
    assert names_elected(ruling, candidates, rules) == elected


def test_nobody_overtakes_a_newcomer_with_more_stake() -> None:
    # Twelve seats; the next would bring 3,400 with it and does not fit, the one after it would.
    ruling = committee_of(dict.fromkeys("ABCDEFGHIJKL", 100))
    rules = msgspec.structs.replace(RULES, power_cap=5_000)
    eager = [*staying("ABCDEFGHIJKL"), *joining("M", 800), *joining("N", 10)]
    assert names_elected(ruling, eager, rules) == "ABCDEFGHIJKL"
    assert names_elected(ruling, [*eager[:12], *eager[13:]], rules) == "ABCDEFGHIJKLN"


def test_stake_that_moved_takes_effect_in_steps() -> None:
    names = "ABCDEFGHIJKLMNOPQRST"
    rules = msgspec.structs.replace(RULES, power_cap=3_000)
    before = {name: 1_000 if name < "K" else 100 for name in names}
    after = {name: 100 if name < "K" else 1_000 for name in names}
    members = committee_of(before)
    target = powers_of(sorted(after.values(), reverse=True), power_cap=3_000)
    changes: list[int] = []
    while tuple(member.power for member in members) != target or not changes:
        elected = elect(members, candidates_of(Wish.STAY, after), parameters=rules)
        changes.append(power_change(powers_in(members), powers_in(elected)))
        assert changes[-1] <= rules.power_change_max
        members = elected
        if {member.weight for member in members} == {100, 1_000}:
            break
    # 8,182 of 10,000 would change hands at once.
    assert len(changes) >= 3
    assert all(member.weight == after[name_of(member.operator)] for member in members)
    assert all(member.stake == after[name_of(member.operator)] for member in members)


def test_a_seat_that_lost_all_its_stake_has_the_least_weight() -> None:
    elected = elect(FOUR, [*staying("ABC"), *staying("D", 0)], parameters=RULES)
    assert [member.weight for member in elected] == [100, 100, 100, 1]
    assert sum(member.power for member in elected) == 10_000


def test_the_power_that_changes_hands_is_what_seats_gain() -> None:
    ruling = powers_in(FOUR)
    assert power_change(ruling, ruling) == 0
    assert power_change({}, ruling) == 10_000
    assert power_change(ruling, powers_in(committee_of(dict.fromkeys("ABCDE", 1)))) == 2_000


STAKES = st.integers(1, 10**6)


@given(
    st.lists(st.tuples(STAKES, STAKES, st.booleans()), min_size=4, max_size=30),
    st.lists(STAKES, max_size=15),
    st.integers(4, 40),
)
def test_no_choice_moves_a_third_of_the_power(
    seats: list[tuple[int, int, bool]], newcomers: list[int], size_max: int
) -> None:
    rules = msgspec.structs.replace(RULES, committee_size_max=max(size_max, len(seats)))
    ruling = committee_of({f"s{index:02}": stake for index, (stake, _, _) in enumerate(seats)})
    candidates = [
        Candidate(
            operator=operator_of(f"s{index:02}"),
            keys=KEYS,
            stake=Grain(stake),
            wish=Wish.LEAVE if weak else Wish.STAY,
        )
        for index, (_, stake, weak) in enumerate(seats)
    ]
    candidates += candidates_of(
        Wish.JOIN, {f"n{index:02}": stake for index, stake in enumerate(newcomers)}
    )
    elected = elect(ruling, candidates, parameters=rules)
    assert power_change(powers_in(ruling), powers_in(elected)) <= rules.power_change_max
    assert sum(member.power for member in elected) == 10_000
    assert len(elected) <= rules.committee_size_max
    weights = [member.weight for member in elected]
    assert weights == sorted(weights, reverse=True)


@given(st.lists(STAKES, min_size=1, max_size=30), st.data())
def test_the_order_of_the_candidates_does_not_matter(
    stakes: list[int], data: st.DataObject
) -> None:
    candidates = candidates_of(
        Wish.JOIN, {f"n{index:02}": stake for index, stake in enumerate(stakes)}
    )
    shuffled = data.draw(st.permutations(candidates))
    assert elect(FOUR, shuffled, parameters=RULES) == elect(FOUR, candidates, parameters=RULES)
