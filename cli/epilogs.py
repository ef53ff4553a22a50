"""One line for each command that shows how it is called; the help of the command ends with it."""

from typing import Final

EXAMPLES: Final = {
    "node init": "hanse node init --genesis genesis --role trainer --examples records/",
    "node run": "hanse node run --folder ~/.hanse",
    "node settings": "hanse node settings",
    "node status": "hanse node status --node http://127.0.0.1:26657",
    "node doctor": "hanse node doctor ~/.hanse",
    "node peers": "hanse node peers --json",
    "node logs": "hanse node logs --lines 100 --follow",
    "keys new": "hanse keys new clinic --kind account",
    "keys import": "hanse keys import clinic --file words.txt",
    "keys list": "hanse keys list --json",
    "keys export": "hanse keys export clinic --form did",
    "devnet up": "hanse devnet up -n 8 --validators 4 --attackers signflip:2 --rounds 3",
    "devnet status": "hanse devnet status --json",
    "devnet down": "hanse devnet down",
    "devnet logs": "hanse devnet logs 2 --lines 100",
    "devnet kill": "hanse devnet kill 3",
    "devnet pause": "hanse devnet pause 3",
    "devnet resume": "hanse devnet resume 3",
    "devnet restart": "hanse devnet restart 3 --forget",
    "devnet join": "hanse devnet join",
    "devnet partition": "hanse devnet partition '0,1|2,3'",
    "devnet heal": "hanse devnet heal",
    "devnet load": "hanse devnet load --tps 500 --seconds 30",
    "p2p peer": "hanse p2p peer --listen /ip4/127.0.0.1/tcp/0 --topic news --expect 10",
    "identity register": "hanse identity register clinic-north --organisation north",
    "identity admit": "hanse identity admit north clinic",
    "identity show": "hanse identity show clinic",
    "identity token": "hanse identity token --life 3600",
    "identity revoke": "hanse identity revoke clinic",
    "task create": "hanse task create --document CID --escrow 1000 --reward 100",
    "task list": "hanse task list --json",
    "task show": "hanse task show 0",
    "task join": "hanse task join 0",
    "task leave": "hanse task leave 0",
    "task close": "hanse task close 0",
    "round show": "hanse round show 0 3",
    "round watch": "hanse round watch 0 --rounds 2",
    "model list": "hanse model list 0",
    "model show": "hanse model show 0 3",
    "model lineage": "hanse model lineage 0 3",
    "model publish": "hanse model publish package:NAME --title 'Ward notes' --labels low,high",
    "model pull": "hanse model pull 0 --out adapter/",
    "model diff": "hanse model diff 0 2 3",
    "model verify": "hanse model verify 0 3 --genesis genesis",
    "update submit": "hanse update submit 0 update.blob",
    "data fetch": "hanse data fetch stanfordnlp/imdb",
    "blob put": "hanse blob put weights.safetensors",
    "blob get": "hanse blob get CID --out weights.safetensors",
    "blob pin": "hanse blob pin CID",
    "account balance": "hanse account balance clinic",
    "account transfer": "hanse account transfer did:key:z6Mk... 1.5",
    "stake validators": "hanse stake validators",
    "stake bond": "hanse stake bond 1000 --commission 500",
    "stake unbond": "hanse stake unbond 250",
    "stake delegate": "hanse stake delegate did:key:z6Mk... 100",
    "stake undelegate": "hanse stake undelegate did:key:z6Mk... 100",
    "stake withdraw": "hanse stake withdraw did:key:z6Mk...",
    "stake unjail": "hanse stake unjail",
    "stake rewards": "hanse stake rewards clinic",
    "tx send": "hanse tx send signed.tx",
    "tx show": "hanse tx show ID",
    "tx wait": "hanse tx wait ID --timeout 30",
    "chain head": "hanse chain head --json",
    "chain commit": "hanse chain commit 1200",
    "chain checkpoint": "hanse chain checkpoint",
    "chain export": "hanse chain export evidence/ --account clinic",
    "light verify": (
        "hanse light verify --genesis genesis --certificates chain --proof proof --account clinic"
    ),
    "contract check": "hanse contract check token.contract",
    "contract disassemble": "hanse contract disassemble token.contract",
    "contract gas": "hanse contract gas token.contract",
    "contract test": "hanse contract test tests/",
    "contract deploy": "hanse contract deploy token.contract 1000000",
    "contract call": "hanse contract call token transfer did:key:z6Mk... 5",
    "contract view": "hanse contract view registry versions 0",
    "contract events": "hanse contract events rounds --since 1200 --limit 50",
}
"""By the words of the command."""

_AS_WRITTEN: Final = "\x1b[0m"
"""Before a text that Typer shows without Rich's markup, which makes an emoji of `:key:`.

Typer has no setting for it, but takes a text with an escape for one that is styled already.
"""


def epilog_of(words: str) -> str | None:
    """Return the last line of a command's help; None if it has no example."""
    example = EXAMPLES.get(words)
    return None if example is None else f"{_AS_WRITTEN}Example: `{example}`"
