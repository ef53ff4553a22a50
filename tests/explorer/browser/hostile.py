"""A node on whose chain every text is hostile: its contracts take names and notes of any kind.

The standard contracts refuse most of these; the explorer must not rely on it, for a network may be
founded with others, and events of anybody's contract say what they like.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from node.contracts import read_source
from node.contracts.standard import ACQUAINTANCES, standard_contract
from node.execution.founding import compiled_contract
from node.federation import calls
from node.ledger.contract import genesis_contract_address
from node.ledger.genesis import GenesisContract
from node.ledger.transaction import Action, Call
from node.vm.types import STR
from node.vm.values import ValueCodec
from primitives.ids import Grain
from tests.chain.founded import genesis_file
from tests.rpc.offers import create_task
from tests.rpc.played import HARMFUL, HONEST, Played
from tests.rpc.stage import Stage, open_stage

SCRIPT: Final = "<script>alert(1)</script><img src=x onerror=alert(2)>"
TURNED: Final = "\u202eabc\u2066def\u200fghi"
LONG: Final = "W" * 10_000
TEXTS: Final = (SCRIPT, TURNED, LONG)
TRAINERS: Final = ("alice", "bob", "carol")
BOLD: Final = genesis_contract_address("bold")

_BOLD: Final = '''"""Tells what it is told."""


class Bold(Contract):
    total: Int

    @external
    def tell(self, text: Str):
        emit("Told", text=text, raw=Bytes(text))

    @external
    def refuse(self, text: Str):
        require(False, text)
'''
_PERMISSIVE: Final = {
    # Keys of maps are short, so such names are only kept with the account.
    "identity": (
        ("        self.check_name(name)\n", ""),
        ('        require(name not in self.names, "the name is taken")\n', ""),
        ("            self.join(organisation)\n", "            pass\n"),
        ("        self.names[name] = sender()\n", ""),
        ("self.organisations[identity.organisation] == who", "False"),
    ),
    "tasks": (("SIZE_MAX = 96", "SIZE_MAX = 40_000"), ("SIZE_MAX = 1_024", "SIZE_MAX = 40_000")),
}


def _lenient(name: str) -> GenesisContract:
    if name not in _PERMISSIVE:
        return standard_contract(name)
    source = read_source(name)
    for strict, lenient in _PERMISSIVE[name]:
        assert strict in source
        source = source.replace(strict, lenient)
    addresses = [genesis_contract_address(other) for other in ACQUAINTANCES[name]]
    return compiled_contract(name, source, *addresses)


@asynccontextmanager
async def hostile(folder: Path) -> AsyncIterator[Stage]:
    """Run the node; three trainers with such names have gone through a round of a task."""
    contracts = (*map(_lenient, ACQUAINTANCES), compiled_contract("bold", _BOLD))
    async with open_stage(folder, genesis=genesis_file(contracts=contracts)) as stage:
        for name, text in zip(TRAINERS, TEXTS, strict=True):
            await stage.send(calls.register(text, organisation=f"lab {text}"), sender=name)
        for number, text in enumerate(TEXTS):
            await stage.send(create_task(rounds=4), sender="alice")
            await stage.send(
                calls.publish(number, title=text, description=f"{text} {text}"), sender="alice"
            )
            await stage.send(told(text), sender="bob")
        await _round(stage)
        yield stage


def told(text: str, *, method: str = "tell") -> Action:
    """Return the call that has an event, or a refusal, say this."""
    arguments = ValueCodec.of_fields((), (STR,)).encode((text,))
    return Call(contract=BOLD, method=method, arguments=arguments, value=Grain(0))


async def _round(stage: Stage) -> None:
    played = Played(stage, trainers=TRAINERS)
    await played.train()
    await played.hold(0b111)
    await played.score([HONEST, HARMFUL, HONEST])
    await played.vote()
    await played.report()
    await played.end()
