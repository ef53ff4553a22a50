import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consensus.committee import (
    COMMITTEE_SIZE_MAX,
    POWER_TOTAL_MAX,
    Authority,
    Committee,
    EpochContext,
    EpochSpan,
    quorum_threshold,
)
from consensus.parameters import Parameters
from primitives.errors import ConfigurationError
from primitives.ids import ChainId, Digest, Epoch, Power, TimestampMs
from tests.dsl.committee import committee_of, context_of, key_of, over_committees

Powers = tuple[int, ...]
quick = settings(deadline=None, max_examples=100, database=None)


@quick
@given(st.integers(1, POWER_TOTAL_MAX))
def test_quorum_is_all_power_less_the_greatest_faulty_power(total: int) -> None:
    faulty = (total - 1) // 3
    assert quorum_threshold(total) == total - faulty
    assert 3 * faulty < total


@settings(deadline=None, max_examples=30, database=None)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=12), st.data())
def test_two_quorums_share_more_than_faulty_power(powers: list[int], data: st.DataObject) -> None:
    committee = committee_of(powers)
    masks = st.integers(0, committee.everyone).filter(committee.is_quorum)
    one = data.draw(masks | st.just(committee.everyone))
    other = data.draw(masks | st.just(committee.everyone))
    assert committee.power_of(one & other) >= committee.validity


@quick
@given(st.lists(st.integers(1, 2**40), min_size=1, max_size=30), st.data())
def test_power_of_a_mask_is_the_sum_over_its_authors(
    powers: list[int], data: st.DataObject
) -> None:
    committee = committee_of(powers)
    mask = data.draw(st.integers(0, committee.everyone))
    assert committee.power_of(mask) == sum(
        power for author, power in enumerate(powers) if mask >> author & 1
    )


@over_committees
def test_honest_authors_alone_are_a_quorum_and_faulty_ones_no_validity(powers: Powers) -> None:
    committee = committee_of(powers)
    assert committee.total_power == sum(powers)
    assert committee.quorum == committee.total_power - committee.faulty_power_max
    assert committee.validity == committee.faulty_power_max + 1
    assert committee.is_quorum(committee.everyone)
    assert not committee.is_quorum(0)


def _authority(seat: int, *, power: int = 1) -> Authority:
    return Authority(Power(power), key_of(seat).public.raw)


@pytest.mark.parametrize(
    "authorities",
    [
        pytest.param([], id="nobody"),
        pytest.param([_authority(0)] * (COMMITTEE_SIZE_MAX + 1), id="too many"),
        pytest.param([_authority(0), _authority(1, power=0)], id="no power"),
        pytest.param([_authority(0), _authority(1, power=-1)], id="negative power"),
        pytest.param([_authority(0), _authority(1, power=POWER_TOTAL_MAX)], id="too much power"),
        pytest.param([_authority(0), _authority(1), _authority(0)], id="one key in two seats"),
    ],
)
def test_impossible_committee_is_refused(authorities: list[Authority]) -> None:
    with pytest.raises(ConfigurationError):
        Committee(authorities)


@pytest.mark.parametrize("count", [-1, 0, 5])
def test_leader_count_beyond_the_committee_is_refused(count: int) -> None:
    with pytest.raises(ConfigurationError):
        _epoch(parameters=Parameters(leaders_per_round=count))


def _epoch(
    *,
    chain: int = 1,
    epoch: int = 0,
    powers: Powers = (1, 1, 1, 1),
    parameters: Parameters | None = None,
    span: EpochSpan | None = None,
    previous: int = 0,
) -> EpochContext:
    return EpochContext(
        chain_id=ChainId(chain.to_bytes(32, "big")),
        epoch=Epoch(epoch),
        committee=committee_of(powers),
        parameters=parameters or Parameters(),
        span=span or EpochSpan(),
        previous=Digest(previous.to_bytes(32, "big")),
    )


@pytest.mark.parametrize(
    "other",
    [
        _epoch(chain=2),
        _epoch(epoch=1),
        _epoch(powers=(1, 1, 1, 2)),
        _epoch(powers=(1, 1, 1, 1, 1)),
        _epoch(parameters=Parameters(leaders_per_round=2)),
        _epoch(parameters=Parameters(gc_depth=99)),
        _epoch(parameters=Parameters(schedule_window=299)),
        _epoch(span=EpochSpan(starts_at_ms=TimestampMs(1))),
        _epoch(span=EpochSpan(closes_at_ms=TimestampMs(1))),
        _epoch(previous=1),
    ],
    ids=["chain", "epoch", "power", "size", "leaders", "gc", "window", "start", "close", "before"],
)
def test_genesis_and_seed_bind_everything_agreed(other: EpochContext) -> None:
    assert other.genesis_digest != _epoch().genesis_digest
    assert other.seed != _epoch().seed


def test_equal_facts_have_equal_genesis() -> None:
    assert _epoch().genesis_digest == _epoch().genesis_digest


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        (Parameters(gc_depth=2), "gc_depth"),
        (Parameters(schedule_window=0), "schedule_window"),
        (Parameters(transaction_bytes_max=9, payload_bytes_max=8), "payload_bytes_max"),
    ],
)
def test_parameters_that_cannot_work_are_refused(parameters: Parameters, word: str) -> None:
    with pytest.raises(ConfigurationError, match=word):
        context_of((1,) * 4, parameters=parameters)
