"""The standard contracts as genesis founds them, each told where the others are.

Their addresses follow from their names, so they may know each other in a circle.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from node.contracts import read_source
from node.execution.founding import compiled_contract
from node.ledger.contract import genesis_contract_address
from node.ledger.genesis import GenesisContract

ACQUAINTANCES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "identity": (),
        "registry": ("rounds",),
        "reputation": ("rounds",),
        "disputes": ("rounds",),
        "rounds": ("identity", "registry", "reputation", "disputes"),
        "tasks": ("identity", "rounds"),
    }
)
"""By contract: whose addresses its `init` takes, in this order."""


def standard_contract(name: str) -> GenesisContract:
    """Return one standard contract, compiled, to be written into a genesis file.

    Raises:
        VmError: it does not compile.
    """
    addresses = [genesis_contract_address(other) for other in ACQUAINTANCES[name]]
    return compiled_contract(name, read_source(name), *addresses)


def standard_contracts() -> tuple[GenesisContract, ...]:
    """Return all standard contracts."""
    return tuple(standard_contract(name) for name in ACQUAINTANCES)
