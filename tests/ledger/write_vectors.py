"""Write the golden vectors of the ledger: `python -m tests.ledger.write_vectors`.

Run it only when a meaning changed on purpose; a changed meaning needs a new domain tag.
"""

import json
from pathlib import Path
from typing import Final

from node.ledger.account import ACCOUNT_CODEC, Account, SystemAccount
from node.ledger.chain import CHAIN_CODEC
from node.ledger.checkpoint import (
    CERTIFICATE_CODEC,
    CHECKPOINT_CODEC,
    checkpoint_digest,
    sign_checkpoint,
)
from node.ledger.contract import contract_address, genesis_contract_address
from node.ledger.genesis import GENESIS_CODEC, chain_id_of
from node.ledger.possession import prove_possession
from node.ledger.receipt import RECEIPT_CODEC, receipts_root
from node.ledger.transaction import SIGNED_TRANSACTION_CODEC, transaction_id
from primitives.ids import AuthorityIndex, Digest, Grain
from tests.ledger.builders import (
    ACTIONS,
    CHAIN,
    address_of,
    certificate_of,
    chain_record,
    checkpoint,
    genesis,
    key_of,
    receipts,
    seats_with,
    signed,
    transaction,
)
from tests.vectors import Row

FILE: Final = Path(__file__).parent.parent / "vectors" / "ledger.json"
ABOUT: Final = (
    "The wire and stored values of the ledger, hexadecimal. Key n has the seed n as 32 big-endian "
    "bytes; the values are those of tests/ledger/builders.py."
)


def vectors() -> dict[str, str | list[Row]]:
    """Return every section of the file."""
    return {
        "about": ABOUT,
        "transactions": _transactions(),
        "accounts": [
            {"comment": f"{nonce}, {balance}", "bytes": _account(nonce, balance)}
            for nonce, balance in ((0, 1), (1, 0), (127, 128), (2**63 - 1, 2**63 - 1))
        ],
        "addresses": _addresses(),
        "checkpoints": _checkpoints(),
        "receipts": _receipts(),
        "records": [
            {"comment": "chain", "bytes": CHAIN_CODEC.encode(chain_record(5)).hex()},
            {"comment": "genesis", "bytes": (raw := GENESIS_CODEC.encode(genesis())).hex()},
            {"comment": "chain id", "bytes": chain_id_of(raw).hex()},
            {
                "comment": "proof of possession",
                "bytes": prove_possession(key_of(9), chain_id=CHAIN, validator=address_of(1)).hex(),
            },
        ],
    }


def text() -> str:
    """Return the text of the file."""
    return json.dumps(vectors(), indent=2) + "\n"


def _transactions() -> list[Row]:
    return [
        {
            "comment": name,
            "bytes": SIGNED_TRANSACTION_CODEC.encode(signed(transaction(action))).hex(),
            "id": transaction_id(transaction(action)).hex(),
        }
        for name, action in ACTIONS.items()
    ]


def _account(nonce: int, balance: int) -> str:
    return ACCOUNT_CODEC.encode(Account(nonce=nonce, balance=Grain(balance))).hex()


def _addresses() -> list[Row]:
    system = {account.value: account.address for account in SystemAccount}
    contracts = {
        "deployed with nonce 0": contract_address(address_of(1), nonce=0),
        "deployed with nonce 1": contract_address(address_of(1), nonce=1),
        "founded as tasks": genesis_contract_address("tasks"),
    }
    return [
        {"comment": comment, "address": address.hex()}
        for comment, address in (system | contracts).items()
    ]


def _checkpoints() -> list[Row]:
    rows: list[Row] = []
    for comment, made in (
        ("amid an epoch", checkpoint()),
        ("last of an epoch", checkpoint(2, next_committee=Digest(b"\x77" * 32))),
    ):
        seats = seats_with(1, 1, 1, 1)
        vote = sign_checkpoint(made, author=AuthorityIndex(2), key=key_of(2))
        certificate = certificate_of(made, seats, signers=(0, 2, 3))
        rows.append(
            {
                "comment": comment,
                "bytes": CHECKPOINT_CODEC.encode(made).hex(),
                "digest": checkpoint_digest(made).hex(),
                "signature_of_seat_2": vote.signature.hex(),
                "certificate": CERTIFICATE_CODEC.encode(certificate).hex(),
            }
        )
    return rows


def _receipts() -> list[Row]:
    made = receipts()
    rows: list[Row] = [
        {"comment": f"receipt {index}", "bytes": RECEIPT_CODEC.encode(receipt).hex()}
        for index, receipt in enumerate(made)
    ]
    return [*rows, {"comment": "root", "bytes": receipts_root(made).hex()}]


if __name__ == "__main__":
    FILE.write_text(text(), encoding="ascii")
