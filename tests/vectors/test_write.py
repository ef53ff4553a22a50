import msgpack
import pytest
from msgspec.structs import astuple

from consensus.block import HEADER_CODEC, SignedBlock, header_digest
from consensus.verifier import BlockVerifier
from primitives.hashing import Domain
from tests.dsl.committee import context_of, key_of
from tests.vectors import Row, cases
from tests.vectors.write import ALL, FOLDER, text_of


@pytest.mark.parametrize("name", ALL)
def test_files_are_what_the_code_writes(name: str) -> None:
    # A difference is a changed wire form or meaning, not a reason to write the file again.
    assert (FOLDER / f"{name}.json").read_text(encoding="ascii") == text_of(ALL[name]())


@pytest.mark.parametrize("row", cases("header", "headers"))
def test_golden_header_is_valid_and_signed(row: Row) -> None:
    raw = bytes.fromhex(row["bytes"])
    signature = bytes.fromhex(row["signature"])
    digest = header_digest(raw)
    assert digest.hex() == row["digest"]
    key_of(row["author"]).public.verify(Domain.BLOCK_SIGNATURE, digest, signature)
    payload = tuple(bytes.fromhex(item) for item in row["payload"])
    block = BlockVerifier(context_of((1, 1, 1, 1))).verify(SignedBlock(raw, signature, payload))
    assert block.ref.digest == digest


@pytest.mark.parametrize("row", cases("header", "headers"))
def test_golden_header_reads_the_same_elsewhere(row: Row) -> None:
    raw = bytes.fromhex(row["bytes"])
    header = HEADER_CODEC.decode(raw)
    fields = msgpack.unpackb(raw)
    assert msgpack.packb(fields) == raw
    assert fields[:6] == [getattr(header, name) for name in header.__struct_fields__[:6]]
    assert fields[6] == [list(astuple(ref)) for ref in header.ancestors]
    assert fields[7:10] == [header.payload_root, header.payload_bytes, header.payload_count]
    assert fields[10] == [list(astuple(vote)) for vote in header.commit_votes]
    assert fields[11] == [
        [list(astuple(report.first)), list(astuple(report.second))] for report in header.reports
    ]
