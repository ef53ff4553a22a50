from node.execution.deployed import DeployedContract
from node.execution.local_chain import LocalChain
from node.ledger.contract import storage_key
from tests.contracts.cast import refused

GENESIS_MODEL = bytes(32)
ONE = 1 << 16


def model_hash(number: int) -> bytes:
    return bytes([number]) * 32


def add(
    adder: DeployedContract,
    chain: LocalChain,
    *,
    task: int = 0,
    version: int,
    parent: bytes | None = None,
    names: tuple[str, ...] = ("bob", "carol"),
    weights: tuple[int, ...] | None = None,
) -> None:
    adder.add_version(
        task,
        version,
        version + 4,
        model_hash(version - 1) if parent is None else parent,
        model_hash(version),
        1_000,
        900,
        2,
        [chain.account(name) for name in names],
        [model_hash(100 + number) for number in range(len(names))],
        [ONE // len(names)] * len(names) if weights is None else list(weights),
        [25] * len(names),
    )


def test_rounds_adds_a_version_with_its_whole_lineage(chain: LocalChain) -> None:
    rounds, registry = chain.contract("rounds"), chain.contract("registry")
    assert registry.model(0, 1) is None
    add(rounds, chain, version=1)
    assert registry.model(0, 1) == {
        "round": 5,
        "parent": GENESIS_MODEL,
        "model": model_hash(1),
        "clip": 1_000,
        "limit": 900,
        "halvings": 2,
        "contributors": [chain.account("bob"), chain.account("carol")],
        "roots": [model_hash(100), model_hash(101)],
        "weights": [ONE // 2, ONE // 2],
        "scores": [25, 25],
        "height": 1,
        "time_ms": chain.now_ms,
    }
    assert registry.contributors(0, 1) == [chain.account("bob"), chain.account("carol")]


def test_only_rounds_may_add_a_model(chain: LocalChain) -> None:
    for outsider in ("alice", "validator-0"):
        with refused("only rounds may add a model"):
            chain.contract("registry").add_version(
                0, 1, 0, b"", b"", 1, 1, 0, [], [], [], [], sender=outsider
            )


def test_the_newest_version_of_a_task_starts_at_none(chain: LocalChain) -> None:
    rounds, registry = chain.contract("rounds"), chain.contract("registry")
    assert registry.latest_version(0) == 0
    assert registry.hash_of(0, 0) == b""
    add(rounds, chain, version=1)
    add(rounds, chain, version=2)
    assert registry.latest_version(0) == 2
    assert registry.hash_of(0, 2) == model_hash(2)
    assert registry.latest_version(1) == 0


def test_versions_are_added_once_and_without_gaps(chain: LocalChain) -> None:
    rounds = chain.contract("rounds")
    add(rounds, chain, version=1)
    for version in (1, 3):
        with refused("versions are added one after the other"):
            add(rounds, chain, version=version)


def test_a_version_stands_on_the_one_before(chain: LocalChain) -> None:
    rounds = chain.contract("rounds")
    add(rounds, chain, version=1)
    with refused("the parent is the version before"):
        add(rounds, chain, version=2, parent=GENESIS_MODEL)


def test_tasks_have_versions_of_their_own(chain: LocalChain) -> None:
    rounds, registry = chain.contract("rounds"), chain.contract("registry")
    add(rounds, chain, version=1)
    add(rounds, chain, task=7, version=1, parent=model_hash(9))
    assert registry.latest_version(0) == registry.latest_version(7) == 1


def test_every_contributor_has_one_weight_and_one_score(chain: LocalChain) -> None:
    with refused("one weight and score for each"):
        add(chain.contract("rounds"), chain, version=1, weights=(ONE,))


def test_a_new_version_is_announced(chain: LocalChain) -> None:
    rounds, registry = chain.contract("rounds"), chain.contract("registry")
    add(rounds, chain, version=1)
    registry.receipt = rounds.receipt
    assert registry.events() == [
        (
            "ModelAdded",
            {
                "task": 0,
                "version": 1,
                "round": 5,
                "parent": GENESIS_MODEL,
                "model": model_hash(1),
            },
        )
    ]


def test_a_version_is_one_slot_of_the_state(chain: LocalChain) -> None:
    registry = chain.contract("registry").address
    add(chain.contract("rounds"), chain, version=1)
    before = set(chain.state.values)
    add(chain.contract("rounds"), chain, version=2)
    new = {key for key in chain.state.values if key not in before}
    (record,) = [key for key in new if key.startswith(storage_key(registry, b""))]
    assert model_hash(2) in chain.state.values[record]


def test_a_model_of_a_hundred_contributors_costs_bounded_gas(chain: LocalChain) -> None:
    rounds = chain.contract("rounds")
    add(rounds, chain, version=1, names=("bob",))
    small = rounds.gas_used
    add(rounds, chain, version=2, names=("bob",) * 100)
    assert small < 25_000
    assert rounds.gas_used < 200_000
