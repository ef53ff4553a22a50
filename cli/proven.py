"""What a chain says about a model, proven slot by slot against certificates: no node is believed.

The genesis file is trusted and nothing else. Every value comes with the certificates that lead from
genesis to a checkpoint and a proof against its state root, as `hanse light verify` checks them; the
codes of the standard contracts, and so the places of their values, are in the genesis file.
"""

import base64
from collections.abc import Mapping

from node.federation.calls import REGISTRY, ROUNDS
from node.ledger.genesis import Genesis, read_genesis
from node.ledger.light_client import LightClient
from node.rpc.client import NodeClient
from node.vm.abi import PythonValue
from node.vm.module import decode_module
from node.vm.stored import StoredField
from node.vm.verified import VerifiedModule
from node.vm.verifier import verify
from primitives.errors import ConfigurationError
from primitives.ids import Address, Height

_FIELDS = {
    (ROUNDS, "task_count"): ("rounds", "count"),
    (ROUNDS, "task_of"): ("rounds", "tasks"),
    (ROUNDS, "terms_of"): ("rounds", "terms"),
    (REGISTRY, "latest_version"): ("registry", "latest"),
    (REGISTRY, "model"): ("registry", "models"),
}
"""Views that show one stored value as it is."""

Question = tuple[Address, str, tuple[PythonValue, ...]]


class ProvenFacts:
    """Asks a node for values with proofs, and keeps those that hold.

    Attributes:
        numbers: of the certified checkpoints that proofs were made against.
    """

    def __init__(self, node: NodeClient, *, genesis: bytes) -> None:
        self._node = node
        self._genesis = read_genesis(genesis)
        self._root = LightClient.from_genesis(genesis)
        self._modules: dict[str, VerifiedModule] = {}
        self._chains: dict[bytes, LightClient] = {}
        self._known: dict[Question, PythonValue] = {}
        self.numbers: set[int] = set()

    async def learn(self, contract: Address, method: str, *arguments: PythonValue) -> PythonValue:
        """Return what a view shows, proven; `views` answers it from then on.

        Raises:
            InvalidCheckpointError: the certificates do not lead from genesis to the proof.
            ConfigurationError: the chain was founded without the contract.
            UnknownFieldError: the contract is of another version than this program knows.
        """
        name, field_name = _FIELDS[contract, method]
        field = StoredField(self._module(name), field_name)
        slot = field.slot(arguments)
        proof = await self._node.prove_slot(contract.hex(), slot)
        client = self._followed(base64.b64decode(proof.chain_file))
        stored = client.slot(base64.b64decode(proof.proof), contract=contract, slot=slot)
        value = None if stored is None else field.read(stored)
        if value is None and method in ("task_count", "latest_version"):
            value = 0
        self._known[contract, method, arguments] = value
        return value

    def views(self) -> "ProvenViews":
        """Return a caller of views that answers what was proven, and nothing else."""
        return ProvenViews(self._known)

    def _followed(self, chain_file: bytes) -> LightClient:
        client = self._chains.get(chain_file)
        if client is None:
            client = self._chains[chain_file] = self._root.follow(chain_file)
            if client.head is not None:
                self.numbers.add(client.head.number)
        return client

    def _module(self, name: str) -> VerifiedModule:
        module = self._modules.get(name)
        if module is None:
            code = _code_of(self._genesis, name)
            module = self._modules[name] = verify(decode_module(code))
        return module


class ProvenViews:
    """Answers views from what was proven before."""

    def __init__(self, known: Mapping[Question, PythonValue]) -> None:
        self._known = known

    def call(
        self,
        contract: Address,
        method: str,
        /,
        *arguments: PythonValue,
        height: Height | None = None,
    ) -> PythonValue:
        """Return what was proven; the height plays no part, for proofs are of the newest state."""
        del height
        return self._known[contract, method, arguments]


async def learn_lineage(facts: ProvenFacts, *, task: int, version: int | None) -> int:
    """Learn all that a replay of a task's model needs, and return the version it goes to.

    Raises:
        ConfigurationError: there is no such task or version.
    """
    count = _whole(await facts.learn(ROUNDS, "task_count"))
    if task >= count:
        raise ConfigurationError(f"there is no task {task}: {count} were created")
    await facts.learn(ROUNDS, "task_of", task)
    await facts.learn(ROUNDS, "terms_of", task)
    newest = _whole(await facts.learn(REGISTRY, "latest_version", task))
    last = newest if version is None else version
    if last > newest:
        raise ConfigurationError(f"task {task} has the versions 0 to {newest}, not {last}")
    # The first record is asked for even where there is none: it names the start of the task.
    for number in range(1, max(last, 1) + 1):
        await facts.learn(REGISTRY, "model", task, number)
    return last


def _whole(value: PythonValue) -> int:
    assert isinstance(value, int), "the contract declares an Int"
    return value


def _code_of(genesis: Genesis, name: str) -> bytes:
    for contract in genesis.contracts:
        if contract.name == name:
            return contract.code
    raise ConfigurationError(f"the chain was founded without the contract {name!r}")
