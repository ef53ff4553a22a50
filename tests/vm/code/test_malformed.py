"""Every rule of the verifier refuses what breaks it, with its own reason and place."""

import pytest

from node.vm.module import decode_module, encode_module
from node.vm.rejection import InvalidModuleError, Reason
from node.vm.verifier import load_module, verify
from tests.vm.code.listing import SUBJECT, lines, with_code
from tests.vm.code.malformed import MALFORMED, Malformed


@pytest.mark.parametrize("row", MALFORMED, ids=lambda row: f"{row.reason.value}: {row.claim}")
def test_malformed_module_is_refused_with_its_reason(row: Malformed) -> None:
    module = row.make()
    # A deployer sends bytes, so what is refused must be something that can be sent.
    raw = encode_module(module)
    assert decode_module(raw) == module
    with pytest.raises(InvalidModuleError) as caught:
        load_module(raw)
    assert caught.value.reason is row.reason
    assert caught.value.code == "invalid_module"


def test_table_has_every_reason() -> None:
    assert {row.reason for row in MALFORMED} == set(Reason)


def test_claims_of_the_table_differ_within_a_reason() -> None:
    claims = [(row.reason, row.claim) for row in MALFORMED]
    assert len({(reason.value, claim) for reason, claim in claims}) == len(MALFORMED) >= 60


def test_sample_module_that_the_table_spoils_is_good() -> None:
    module = with_code(lines("UNIT; RETURN"))
    assert verify(module).module == module


def test_error_names_the_function_and_the_offset() -> None:
    with pytest.raises(InvalidModuleError, match="in function 0 at offset 4") as caught:
        verify(with_code(lines("INT 1; SET 1; DROP")))
    assert caught.value.function == SUBJECT
    assert caught.value.offset == 4


def test_error_in_a_signature_names_the_function() -> None:
    with pytest.raises(InvalidModuleError) as caught:
        verify(with_code(lines("UNIT; RETURN"), header="function subject internal (t99) Unit"))
    assert (caught.value.function, caught.value.offset) == (SUBJECT, None)


def test_immediate_error_is_at_the_immediate() -> None:
    with pytest.raises(InvalidModuleError) as caught:
        verify(with_code(lines("INT 1; DROP; CALL 4")))
    assert caught.value.offset == 3
