"""Call the two Solidity contracts on py-evm and print how many calls a CPU second takes.

A program of its own, in a virtual environment of its own (`requirements.txt`), since py-evm pins
pre-releases. A call is bare: the message is applied to a state in memory, with the snapshot and
lock that one transaction takes, but without signature, receipt or trie. The last line is JSON.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

from eth.chains.base import MiningChain
from eth.consensus.noproof import NoProofConsensus
from eth.constants import CREATE_CONTRACT_ADDRESS, ZERO_HASH32
from eth.db.atomic import AtomicDB
from eth.vm.forks.cancun import CancunVM
from eth.vm.message import Message
from eth_utils import keccak

ACCOUNTS = 1_000
BATCH = 100
GAS = 1_000_000
BOND = 1_000
SUPPLY = 10**30


class Evm:
    """One state in memory with one deployed contract."""

    def __init__(self, bytecode: bytes, *, deployer: bytes) -> None:
        vm_class = CancunVM.configure(consensus_class=NoProofConsensus)
        chain_class = MiningChain.configure(vm_configuration=((0, vm_class),))
        funded = {account(number): _rich() for number in range(ACCOUNTS)}
        genesis = {
            "difficulty": 0,
            "gas_limit": 30_000_000,
            "timestamp": 1,
            "mix_hash": ZERO_HASH32,
        }
        chain = chain_class.from_genesis(AtomicDB(), genesis_params=genesis, genesis_state=funded)
        self._vm = chain.get_vm()
        self._state = self._vm.state
        self.contract = keccak(deployer)[:20]
        self._run(
            Message(
                gas=10_000_000,
                to=CREATE_CONTRACT_ADDRESS,
                sender=deployer,
                value=0,
                data=b"",
                code=bytecode,
                create_address=self.contract,
            ),
        )
        self._code = self._state.get_code(self.contract)

    def call(self, sender: bytes, arguments: bytes, *, value: int = 0) -> None:
        """Apply one message, as one transaction would."""
        self._state.lock_changes()
        self._run(
            Message(
                gas=GAS,
                to=self.contract,
                sender=sender,
                value=value,
                data=arguments,
                code=self._code,
            ),
        )

    def _run(self, message: Message) -> None:
        context = self._state.get_transaction_context_class()(gas_price=0, origin=message.sender)
        computation_class = self._state.computation_class
        if message.is_create:
            computation = computation_class.apply_create_message(self._state, message, context)
        else:
            computation = computation_class.apply_message(self._state, message, context)
        computation.raise_if_error()


def account(number: int) -> bytes:
    """Return the address of one of the accounts."""
    return bytes(keccak(number.to_bytes(8, "big"))[:20])


def transfers(evm: Evm, selector: bytes) -> Iterator[int]:
    """Yield after every batch of token transfers."""
    number = 0
    while True:
        for _ in range(BATCH):
            recipient = account(1 + number % (ACCOUNTS - 1)).rjust(32, b"\0")
            evm.call(account(0), selector + recipient + (1).to_bytes(32, "big"))
            number += 1
        yield BATCH


def submissions(evm: Evm, methods: dict[str, str]) -> Iterator[int]:
    """Yield after every batch of submissions; a round takes as many as there are accounts."""
    open_selector = bytes.fromhex(methods["open(uint256,uint64,uint256)"])
    submit_selector = bytes.fromhex(methods["submit(uint256,bytes32)"])
    number = 0
    while True:
        for _ in range(BATCH):
            round_word = (number // ACCOUNTS).to_bytes(32, "big")
            if number % ACCOUNTS == 0:
                bond = BOND.to_bytes(32, "big")
                evm.call(
                    account(0), open_selector + round_word + (2**40).to_bytes(32, "big") + bond
                )
            commitment = keccak(number.to_bytes(8, "big"))
            evm.call(
                account(number % ACCOUNTS), submit_selector + round_word + commitment, value=BOND
            )
            number += 1
        yield BATCH


def calls_per_cpu_second(batches: Iterator[int], *, seconds: float) -> float:
    """Run batches for a while and return the rate of the best: what disturbs one only adds."""
    next(batches)
    best = spent = 0.0
    while spent < seconds:
        began = time.process_time()
        calls = next(batches)
        taken = time.process_time() - began
        best, spent = max(best, calls / taken), spent + taken
    return best


def _rich() -> dict[str, object]:
    return {"balance": 10**24, "nonce": 0, "code": b"", "storage": {}}


def main() -> None:
    """Measure both contracts."""
    parser = argparse.ArgumentParser(description="calls per CPU second on py-evm")
    parser.add_argument("--seconds", type=float, default=5.0, help="CPU seconds for each contract")
    flags = parser.parse_args()
    compiled = json.loads(Path(__file__).with_name("bytecode.json").read_text(encoding="utf-8"))
    token, rounds = (compiled["contracts"][name] for name in ("Token", "Rounds"))
    supply = SUPPLY.to_bytes(32, "big")
    token_evm = Evm(bytes.fromhex(token["bytecode"]) + supply, deployer=account(0))
    selector = bytes.fromhex(token["methods"]["transfer(address,uint256)"])
    rounds_evm = Evm(bytes.fromhex(rounds["bytecode"]), deployer=account(0))
    rates = {
        "token.transfer": calls_per_cpu_second(
            transfers(token_evm, selector), seconds=flags.seconds
        ),
        "rounds.submit": calls_per_cpu_second(
            submissions(rounds_evm, rounds["methods"]), seconds=flags.seconds
        ),
    }
    print(json.dumps(rates))


if __name__ == "__main__":
    main()
