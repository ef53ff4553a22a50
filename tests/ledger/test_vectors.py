import json

import msgpack
import pytest

from node.ledger.checkpoint import CHECKPOINT_CODEC, checkpoint_digest, read_certificate
from node.ledger.receipt import RECEIPT_CODEC
from tests.ledger.builders import receipts
from tests.ledger.write_vectors import FILE, text
from tests.vectors import Row, cases


def test_the_file_is_what_the_code_writes() -> None:
    # A difference is a changed wire form or meaning, not a reason to write the file again.
    # Where it is meant: python -m tests.ledger.write_vectors
    assert FILE.read_text(encoding="ascii") == text()


@pytest.mark.parametrize("row", cases("ledger", "checkpoints"))
def test_a_golden_checkpoint_reads_the_same_elsewhere(row: Row) -> None:
    raw = bytes.fromhex(row["bytes"])
    made = CHECKPOINT_CODEC.decode(raw)
    value = msgpack.unpackb(raw)
    assert value == [getattr(made, name) for name in made.__struct_fields__]
    assert msgpack.packb(value) == raw
    assert checkpoint_digest(made).hex() == row["digest"]
    assert read_certificate(bytes.fromhex(row["certificate"])).checkpoint == made


@pytest.mark.parametrize("index", range(3))
def test_a_golden_receipt_is_the_receipt(index: int) -> None:
    row = json.loads(FILE.read_text(encoding="ascii"))["receipts"][index]
    assert RECEIPT_CODEC.decode(bytes.fromhex(row["bytes"])) == receipts()[index]
