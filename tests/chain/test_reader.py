"""Views of contracts are read at the head or an earlier height, bounded by gas."""

import asyncio
from pathlib import Path

import pytest

from node.chain.errors import NoContractError, NotViewError
from node.chain.reader import ContractReader
from node.execution.founding import compiled_contract
from node.ledger.contract import genesis_contract_address
from node.ledger.receipt import Event
from node.ledger.transaction import Call
from node.storage.state_errors import StatePrunedError
from node.vm.abi import ForeignValueError
from node.vm.traps import VmTrap
from primitives.ids import Grain, Height
from tests.chain.founded import address_of, chain_at, genesis_file
from tests.chain.proposer import Proposer
from tests.storage.ledger_workload import ADDED

TALLY = """

class Entry(Record):
    who: Address
    total: Int


class Tally(Contract):
    totals: Map[Address, Int]
    last: Int

    @external
    def add(self, amount: Int) -> Int:
        self.totals[sender()] += amount
        self.last = amount
        emit("Added", who=sender(), amount=amount)
        return amount

    @view
    def entry(self, who: Address) -> Entry:
        return Entry(who=who, total=self.totals[who])

    @view
    def entries(self, many: List[Address]) -> List[Int]:
        found: List[Int] = []
        for who in many:
            found.append(self.totals[who])
        return found

    @view
    def age(self) -> Int:
        return now()

    @view
    def forever(self) -> Int:
        count: Int = 0
        while count >= 0:
            count += 1
        return count

    @view
    def refuse(self) -> Int:
        require(False, "not today")
        return 0
"""
GENESIS = genesis_file(contracts=[compiled_contract("tally", TALLY)])
CONTRACT = genesis_contract_address("tally")
ALICE = address_of("alice")


def add(amount: int) -> Call:
    """Return the call that adds to the total of its sender."""
    return Call(contract=CONTRACT, method="add", arguments=ADDED.encode((amount,)), value=Grain(0))


@pytest.mark.asyncio
async def test_view_answers_in_python_values_at_any_height(tmp_path: Path) -> None:
    with chain_at(tmp_path, genesis=GENESIS) as chain:
        proposer, reader = Proposer(chain), ContractReader(chain)
        assert reader.call(CONTRACT, "entry", ALICE) == {"who": ALICE, "total": 0}
        for amount in (3, 4):
            await proposer.send(add(amount))
        assert reader.call(CONTRACT, "entry", ALICE) == {"who": ALICE, "total": 7}
        early = reader.call(CONTRACT, "entry", ALICE, height=Height(1))
        assert early == {"who": ALICE, "total": 3}
        assert reader.call(CONTRACT, "entries", [ALICE, address_of("bob")]) == [7, 0]
        assert reader.call(CONTRACT, "age") == chain.head.time_ms
        with pytest.raises(StatePrunedError):
            reader.call(CONTRACT, "age", height=Height(9))


@pytest.mark.asyncio
async def test_reading_changes_nothing(tmp_path: Path) -> None:
    with chain_at(tmp_path, genesis=GENESIS) as chain:
        reader = ContractReader(chain)
        root = chain.head.state_root
        reader.call(CONTRACT, "entry", ALICE)
        with chain.view() as view:
            assert view.root == root
        executed = await Proposer(chain).send(add(1))
        assert executed.state_root != root


@pytest.mark.asyncio
async def test_threads_may_read_while_commits_execute(tmp_path: Path) -> None:
    with chain_at(tmp_path, genesis=GENESIS) as chain:
        proposer, reader = Proposer(chain), ContractReader(chain)
        async with asyncio.TaskGroup() as group:
            readings = [
                group.create_task(asyncio.to_thread(reader.call, CONTRACT, "entry", ALICE))
                for _ in range(8)
            ]
            for _ in range(4):
                await proposer.send(add(1))
        totals = [task.result() for task in readings]
        assert all(isinstance(total, dict) and 0 <= total["total"] <= 4 for total in totals)


@pytest.mark.asyncio
async def test_what_cannot_be_read_is_refused_by_its_own_error(tmp_path: Path) -> None:
    with chain_at(tmp_path, genesis=GENESIS) as chain:
        reader = ContractReader(chain, gas_max=1_000_000)
        with pytest.raises(NoContractError, match="there is no contract at"):
            reader.call(ALICE, "entry")
        with pytest.raises(NotViewError, match="add is no view"):
            reader.call(CONTRACT, "add", 1)
        for method, arguments, complaint in (
            ("nothing", (), "nothing"),
            ("entry", (), "entry takes 1, got 0"),
            ("refuse", (), "not today"),
            ("forever", (), "out_of_gas"),
        ):
            with pytest.raises(VmTrap, match=complaint):
                reader.call(CONTRACT, method, *arguments)
        with pytest.raises(ForeignValueError, match="expected Address"):
            reader.call(CONTRACT, "entry", 5)


@pytest.mark.asyncio
async def test_event_is_decoded_by_its_contract(tmp_path: Path) -> None:
    with chain_at(tmp_path, genesis=GENESIS) as chain:
        reader = ContractReader(chain)
        await Proposer(chain).send(add(6))
        (found,) = chain.events(CONTRACT)
        decoded = reader.event(found.event)
        assert (decoded.name, decoded.fields) == ("Added", {"who": ALICE, "amount": 6})
        with pytest.raises(VmTrap, match="there is no event Removed"):
            reader.event(Event(CONTRACT, "Removed", b""))
        with pytest.raises(NoContractError):
            reader.event(Event(ALICE, "Added", b""))
