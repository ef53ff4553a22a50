"""A fixed play of sixty commits with everything in it; `python -m` prints the digest of its end."""

import hashlib
import sys

from node.execution.deployed import DeployedContract
from node.execution.local_chain import LocalChain, key_named
from node.ledger.possession import prove_possession
from node.ledger.receipt import RECEIPT_CODEC
from node.ledger.transaction import (
    Action,
    Bond,
    Call,
    Delegate,
    Deploy,
    Redelegate,
    Transfer,
    Undelegate,
    Unjail,
    Withdraw,
)
from node.vm.engine import Engine
from primitives.ids import Address, Grain, TimestampMs
from tests.execution.accusations import equivocation, two_faced
from tests.execution.arena import read_hostile

HOUR_MS = 3_600_000


class Scenario:
    """Plays the sixty commits."""

    def __init__(self, engine: Engine | None = None) -> None:
        self.chain = LocalChain(engine=engine)

    def play(self) -> str:
        """Play all of it and return the digest of every key, value and receipt."""
        names = ("purse", "sleeper", "relay", "glutton")
        purse, sleeper, relay, glutton = (self.deploy(name) for name in names)
        self.commit(("olivia", two_faced(self.chain, author=3)))
        for turn in range(4):
            self.trade(purse, turn)
            self.work(relay, glutton, turn)
            self.stake(turn)
            self.sleep(sleeper, turn)
            self.chain.advance(HOUR_MS)
        self.accuse()
        for _ in range(8):
            self.chain.advance(HOUR_MS // 2)
        return digest_of(self.chain)

    def deploy(self, name: str) -> DeployedContract:
        arguments = (0,) if name == "purse" else ()
        return self.chain.deploy(read_hostile(name), *arguments)

    def commit(self, *actions: tuple[str, Action]) -> None:
        """Commit one transaction each of several accounts, whatever becomes of them."""
        self.chain.now_ms = TimestampMs(self.chain.now_ms + 7)
        self.chain.commit([self.chain.sign(action, sender=sender) for sender, action in actions])

    def call(
        self, contract: DeployedContract, method: str, arguments: bytes, *, value: int = 0
    ) -> Call:
        return Call(
            contract=contract.address, method=method, arguments=arguments, value=Grain(value)
        )

    def trade(self, purse: DeployedContract, turn: int) -> None:
        bob = self.chain.account("bob")
        to_bob = b"\x92\xc4\x20" + bob
        self.commit(
            ("alice", self.call(purse, "fill", b"\x90", value=100)),
            ("bob", self.call(purse, "pay", to_bob + bytes((turn,)))),
            ("carol", self.call(purse, "drain", to_bob + b"\x01")),
            ("dave", Transfer(bob, Grain(turn + 1))),
            ("erin", self.call(purse, "pay", b"\x91\x01")),
        )
        self.chain.commit([b"", b"\xc1", bytes(turn), self.chain.sign(Unjail(), sender="zoe")])

    def work(self, relay: DeployedContract, glutton: DeployedContract, turn: int) -> None:
        self.commit(
            ("alice", self.call(relay, "walk", b"\x91\x90")),
            ("bob", self.call(relay, "walk", b"\x91\x91\xc4\x20" + relay.address)),
            ("carol", self.call(glutton, "many_slots", bytes((0x91, 10 + turn)))),
            ("dave", self.call(glutton, "return_crumbs", bytes((0x91, turn)))),
            ("erin", self.call(glutton, "double_list", b"\x91\x7f")),
            ("frank", Deploy(b"\x90", b"", Grain(turn))),
        )

    def stake(self, turn: int) -> None:
        validators = [self.chain.account(f"validator-{number}") for number in range(4)]
        one, other = validators[turn], validators[turn - 1]
        self.commit(
            ("grace", Delegate(one, Grain(10**12))),
            ("heidi", Delegate(other, Grain(10**11 + turn))),
            ("ivan", self.bond("ivan")),
            ("judy", Withdraw(one)),
        )
        self.commit(
            ("grace", Undelegate(one, Grain(10**10))),
            ("heidi", Redelegate(source=other, destination=one, amount=Grain(10**10))),
            ("ivan", Undelegate(self.chain.account("ivan"), Grain(turn))),
        )

    def bond(self, name: str) -> Bond:
        address: Address = self.chain.account(name)
        key = key_named(f"{name} consensus")
        return Bond(
            consensus_key=key.public.raw,
            node_key=key_named(f"{name} node").public.raw,
            possession=prove_possession(key, chain_id=self.chain.chain_id, validator=address),
            commission_bp=250,
            amount=Grain(5 * 10**14),
        )

    def sleep(self, sleeper: DeployedContract, turn: int) -> None:
        for number in range(3):
            self.commit(
                ("alice", self.call(sleeper, "set_trap", bytes((0x91, turn)))),
                ("bob", self.call(sleeper, "set_forever", b"\x91\xce\x00\x01\x86\xa0")),
                ("carol", self.call(sleeper, "set_many", bytes((0x92, number, 0xCD, 0x75, 0x30)))),
            )
        for _ in range(3):
            self.chain.advance(5)

    def accuse(self) -> None:
        self.commit(("mallory", equivocation(self.chain, author=0, epoch=0)))
        self.commit(
            ("mallory", equivocation(self.chain, author=0, epoch=0)),
            ("niaj", equivocation(self.chain, author=1, epoch=0)),
        )
        self.chain.commit([])


def digest_of(chain: LocalChain) -> str:
    """Return the digest of every key, value and receipt of the chain, each with its length."""
    digest = hashlib.sha256()
    values = chain.state.values
    parts = [part for key in sorted(values) for part in (key, values[key])]
    for part in (*parts, *map(RECEIPT_CODEC.encode, chain.receipts)):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


if __name__ == "__main__":
    sys.stdout.write(Scenario().play())
