"""What the transactions of tests used, by contract and method."""

import statistics
from collections.abc import Callable, Iterator
from typing import Final

from typing_extensions import override

from node.execution.local_chain import LocalChain, TransactionFailedError
from node.ledger.receipt import Receipt
from node.ledger.transaction import Action, Call, Deploy
from node.vm.module import decode_module
from primitives.ids import Address, Gas

DEPLOYMENT: Final = "deployment"


class GasLog:
    """The gas of all calls so far; those that failed are counted only."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, str], list[Gas]] = {}
        self._failed: dict[tuple[str, str], int] = {}

    def add(self, contract: str, method: str, gas: Gas) -> None:
        """Note a call that went well."""
        self._used.setdefault((contract, method), []).append(gas)

    def add_failed(self, contract: str, method: str) -> None:
        """Note a call that failed."""
        key = contract, method
        self._failed[key] = self._failed.get(key, 0) + 1

    def lines(self) -> Iterator[str]:
        """Yield a table: calls, failed calls, and the least, middle and greatest gas."""
        names = sorted({*self._used, *self._failed})
        if not names:
            yield "no contract was called"
            return
        width = max(len(f"{contract}.{method}") for contract, method in names)
        heads = "".join(f"{head:>11}" for head in ("calls", "failed", "min", "median", "max"))
        yield f"{'method':<{width}}{heads}"
        for key in names:
            used, failed = self._used.get(key, []), self._failed.get(key, 0)
            gas = (min(used), statistics.median_low(used), max(used)) if used else ("-",) * 3
            cells = "".join(f"{cell:>11}" for cell in (len(used), failed, *gas))
            yield f"{'.'.join(key):<{width}}{cells}"


class GasLogChain(LocalChain):
    """A local chain that logs what each call and deployment uses, its transaction included."""

    def __init__(self, *, read_source: Callable[[str], str], log: GasLog) -> None:
        super().__init__(read_source=read_source)
        self._log = log
        self._names: dict[Address, str] = {}

    @override
    def send(self, action: Action, *, sender: str = "alice") -> Receipt:
        try:
            receipt = super().send(action, sender=sender)
        except TransactionFailedError:
            self._note(action, None)
            raise
        self._note(action, receipt)
        return receipt

    def _note(self, action: Action, receipt: Receipt | None) -> None:
        match action:
            case Deploy(code=code):
                contract, method = decode_module(code).name, DEPLOYMENT
            case Call():
                contract = self._names.get(action.contract, action.contract.hex()[:8])
                method = action.method
            case _:
                return
        if receipt is None:
            self._log.add_failed(contract, method)
            return
        if receipt.created is not None:
            self._names[receipt.created] = contract
        self._log.add(contract, method, receipt.gas_used)
