"""Bare calls of two contracts: what benchmarks/vm_peers/evm.py does on py-evm, on our engines.

A call is what one transaction needs of the machine: a mark to roll back to, a meter, its arguments
decoded, the method found and run, events and a result. Every batch ends like a commit: its changes
are taken over by the state below, which is a dictionary.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from benchmarks.vm_world import NOW_MS, World, account
from node.execution.deployed import init_arguments
from node.ledger.overlay import Overlay
from node.vm.abi import PythonValue
from node.vm.engine import Engine, find_method
from node.vm.lang.compiler import compile_contract
from node.vm.linked import LinkedModule
from node.vm.meter import Meter
from node.vm.verifier import verify
from primitives.ids import Address, Grain

ACCOUNTS: Final = 1_000
BATCH: Final = 1_000
GAS: Final = 1_000_000
BOND: Final = Grain(1_000)
NO_MONEY: Final = Grain(0)
SUPPLY: Final = 10**30
CONTRACTS: Final = Path(__file__).with_name("contracts")


class Contract:
    """One contract in a world of its own, called again and again."""

    def __init__(self, name: str, engine: Engine) -> None:
        source = (CONTRACTS / f"{name}.contract").read_text(encoding="utf-8")
        module = compile_contract(source, filename=f"{name}.contract")
        self._linked = LinkedModule(verify(module))
        self._world = World(engine)
        self._address = self._world.found(name, module)
        self.accounts = [account(number) for number in range(ACCOUNTS)]
        self._world.enrich(*self.accounts)
        self._overlay = Overlay(self._world.state)

    def start(self, *arguments: PythonValue) -> None:
        """Run its `init` for the first account."""
        encoded = init_arguments(self._linked, arguments)
        calls = self._world.calls(self._overlay)
        calls.start(
            self._address, encoded, sender=self.accounts[0], value=NO_MONEY, meter=Meter(GAS)
        )

    def encoder(self, method: str) -> Callable[..., bytes]:
        """Return what encodes the arguments of a method, as the sender of a transaction does."""
        index = find_method(self._linked.module, method)
        codec = self._linked.arguments_codec(index)
        return lambda *arguments: codec.encode(arguments)

    def call(
        self, method: str, arguments: bytes, *, sender: Address, value: Grain = NO_MONEY
    ) -> None:
        """Call a method as a transaction would."""
        overlay = self._overlay
        overlay.mark()
        calls = self._world.calls(overlay)
        calls.call(self._address, method, arguments, sender=sender, value=value, meter=Meter(GAS))

    def commit(self) -> None:
        """End the commit and begin the next."""
        self._world.state.write(self._overlay.changes())
        self._overlay = Overlay(self._world.state)


def transfers(engine: Engine) -> Iterator[int]:
    """Yield after every batch of token transfers."""
    token = Contract("token", engine)
    token.start(SUPPLY)
    encoded = token.encoder("transfer")
    sender, number = token.accounts[0], 0
    while True:
        for _ in range(BATCH):
            recipient = token.accounts[1 + number % (ACCOUNTS - 1)]
            token.call("transfer", encoded(recipient, 1), sender=sender)
            number += 1
        token.commit()
        yield BATCH


def submissions(engine: Engine) -> Iterator[int]:
    """Yield after every batch of submissions; a round takes as many as there are accounts."""
    rounds = Contract("rounds", engine)
    opening, submission = rounds.encoder("open"), rounds.encoder("submit")
    number = 0
    while True:
        for _ in range(BATCH):
            trainer, count = rounds.accounts[number % ACCOUNTS], number // ACCOUNTS
            if number % ACCOUNTS == 0:
                rounds.call("open", opening(count, NOW_MS + 1, BOND), sender=trainer)
            commitment = account(number)
            rounds.call("submit", submission(count, commitment), sender=trainer, value=BOND)
            number += 1
        rounds.commit()
        yield BATCH


def call_us(batches: Iterator[int], *, windows: int) -> float:
    """Return the CPU of one call, in the best of several batches after the first."""
    next(batches)
    return min(_batch_us(batches) for _ in range(windows))


def _batch_us(batches: Iterator[int]) -> float:
    began = time.process_time()
    calls = next(batches)
    return (time.process_time() - began) * 1e6 / calls
