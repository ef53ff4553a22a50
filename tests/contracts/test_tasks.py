import functools

import pytest

from node.contracts.standard import standard_contracts
from node.execution.deployed import DeployedContract
from node.execution.local_chain import LocalChain
from node.ledger.genesis import GenesisContract
from tests.contracts.cast import refused

ESCROW = 5 * 10**9
WINDOWS = [60_000] * 7


@pytest.fixture(name="chain")
def _chain() -> LocalChain:
    """Return a chain whose `rounds` is the real one."""
    return LocalChain(contracts=_founded())


@functools.cache
def _founded() -> tuple[GenesisContract, ...]:
    return standard_contracts()


@pytest.fixture(name="tasks")
def _tasks(chain: LocalChain) -> DeployedContract:
    chain.contract("identity").register("anna", "client", "charite", sender="alice")
    return chain.contract("tasks")


def create(chain: LocalChain, *, sender: str = "alice") -> object:
    """Create a task in `rounds` and return its number."""
    return chain.contract("rounds").create_task(
        *(bytes(32), bytes(32), 10**9, 10**6, 10, 0, 5, 3, 50, 1_000, 10, WINDOWS, [0], 15),
        sender=sender,
        value=ESCROW,
    )


def test_a_sponsor_publishes_its_task_under_its_organisation(
    chain: LocalChain, tasks: DeployedContract
) -> None:
    assert create(chain) == 0
    assert tasks.find(0) is None
    tasks.publish(0, "Radiology letters", "German, 2 B parameters.")
    assert tasks.find(0) == {
        "title": "Radiology letters",
        "description": "German, 2 B parameters.",
        "organisation": "charite",
        "sponsor": chain.account("alice"),
        "published_ms": chain.now_ms,
        "is_listed": True,
    }


def test_a_published_task_is_announced(chain: LocalChain, tasks: DeployedContract) -> None:
    create(chain)
    tasks.publish(0, "Letters", "")
    fields = {
        "task": 0,
        "sponsor": chain.account("alice"),
        "organisation": "charite",
        "title": "Letters",
    }
    assert tasks.events() == [("Published", fields)]


def test_only_members_of_an_organisation_publish(
    chain: LocalChain, tasks: DeployedContract
) -> None:
    create(chain, sender="bob")
    with refused("only members of an organisation publish tasks"):
        tasks.publish(0, "Letters", "", sender="bob")
    chain.contract("identity").register("bert", "client", "", sender="bob")
    with refused("only members of an organisation publish tasks"):
        tasks.publish(0, "Letters", "", sender="bob")


def test_only_the_sponsor_publishes_a_task(chain: LocalChain, tasks: DeployedContract) -> None:
    create(chain, sender="bob")
    with refused("only the sponsor publishes a task"):
        tasks.publish(0, "Letters", "", sender="alice")


def test_what_rounds_does_not_know_is_not_published(tasks: DeployedContract) -> None:
    with refused("no such task"):
        tasks.publish(0, "Letters", "")


def test_a_closed_task_is_not_published(chain: LocalChain, tasks: DeployedContract) -> None:
    create(chain)
    chain.contract("rounds").close_task(0)
    with refused("the task is closed"):
        tasks.publish(0, "Letters", "")


def test_a_task_is_published_once(chain: LocalChain, tasks: DeployedContract) -> None:
    create(chain)
    tasks.publish(0, "Letters", "")
    with refused("the task is in the catalogue"):
        tasks.publish(0, "Letters again", "")


@pytest.mark.parametrize(
    ("title", "description", "rule"),
    [
        ("", "", "a title has 1 to 96 bytes"),
        ("x" * 97, "", "a title has 1 to 96 bytes"),
        ("\u00e4" * 49, "", "a title has 1 to 96 bytes"),
        ("Letters", "x" * 1_025, "a description has at most 1024 bytes"),
    ],
)
def test_texts_are_bounded(
    chain: LocalChain, tasks: DeployedContract, title: str, description: str, rule: str
) -> None:
    create(chain)
    with refused(rule):
        tasks.publish(0, title, description)
    tasks.publish(0, "Letters", "")
    with refused(rule):
        tasks.describe(0, title, description)


def test_the_sponsor_changes_the_words(chain: LocalChain, tasks: DeployedContract) -> None:
    create(chain)
    tasks.publish(0, "Letters", "old")
    tasks.describe(0, "Radiology letters", "new")
    entry = tasks.find(0)
    assert isinstance(entry, dict)
    assert (entry["title"], entry["description"]) == ("Radiology letters", "new")


def test_the_sponsor_takes_the_entry_off_the_list_and_puts_it_back(
    chain: LocalChain, tasks: DeployedContract
) -> None:
    create(chain)
    tasks.publish(0, "Letters", "")
    with refused("nothing would change"):
        tasks.list_again(0)
    tasks.unlist(0)
    assert tasks.is_open(0) is False
    with refused("nothing would change"):
        tasks.unlist(0)
    tasks.list_again(0)
    assert tasks.is_open(0) is True


def test_nobody_else_changes_an_entry(chain: LocalChain, tasks: DeployedContract) -> None:
    create(chain)
    tasks.publish(0, "Letters", "")
    with refused("only the sponsor changes the entry"):
        tasks.unlist(0, sender="bob")
    with refused("only the sponsor changes the entry"):
        tasks.list_again(0, sender="validator-0")
    with refused("only the sponsor changes the entry"):
        tasks.describe(0, "Mine", "", sender="bob")
    with refused("the task is not in the catalogue"):
        tasks.unlist(1)


def test_a_task_is_open_until_its_sponsor_closes_it(
    chain: LocalChain, tasks: DeployedContract
) -> None:
    create(chain)
    assert tasks.is_open(0) is False
    tasks.publish(0, "Letters", "")
    assert tasks.is_open(0) is True
    chain.contract("rounds").close_task(0)
    assert tasks.is_open(0) is False


def test_the_escrow_stays_with_rounds_and_goes_back_to_the_sponsor(
    chain: LocalChain, tasks: DeployedContract
) -> None:
    create(chain)
    tasks.publish(0, "Letters", "")
    rounds = chain.contract("rounds")
    assert chain.balance(rounds.address) == ESCROW
    assert chain.balance(tasks.address) == 0
    before = chain.balance(chain.account("alice"))
    rounds.close_task(0)
    fee = chain.receipts[-1].fee
    assert chain.balance(chain.account("alice")) == before + ESCROW - fee
    assert chain.balance(rounds.address) == 0


def test_tasks_are_found_page_by_page(chain: LocalChain, tasks: DeployedContract) -> None:
    for _ in range(4):
        create(chain)
    for number in (0, 3, 2):
        tasks.publish(number, "Letters", "")
    assert tasks.count() == 3
    assert tasks.page(0, 2) == [0, 3]
    assert tasks.page(2, 64) == [2]
    assert tasks.page(9, 1) == []
    for first, size in ((-1, 1), (0, 65), (0, -1)):
        with refused("a page has at most 64 tasks"):
            tasks.page(first, size)


def test_every_method_costs_bounded_gas(chain: LocalChain, tasks: DeployedContract) -> None:
    create(chain)
    gas: dict[str, int] = {}
    tasks.publish(0, "x" * 96, "x" * 1_024)
    gas["publish"] = tasks.gas_used
    tasks.describe(0, "y" * 96, "y" * 1_024)
    gas["describe"] = tasks.gas_used
    tasks.unlist(0)
    gas["unlist"] = tasks.gas_used
    limits = {"publish": 60_000, "describe": 60_000, "unlist": 25_000}
    assert {name: used for name, used in gas.items() if used > limits[name]} == {}
