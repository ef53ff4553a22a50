"""A task document has one encoding, and one that contradicts itself is refused."""

import msgspec
import pytest

from fl.jobs.subject import LoraLayout, ModelKind
from fl.rules.update.layout import TensorLayout, TensorSpec
from node.federation.commitments import scores_commitment, update_commitment
from node.federation.document import (
    BadDocumentError,
    TaskDocument,
    read_document,
    write_document,
)
from primitives.errors import MalformedBytesError
from primitives.hashing import sha256
from primitives.ids import Address
from tests.federation.history import DOCUMENT, ODD
from tests.worker.vectors import LAYOUT as EVEN

WHO = Address(bytes(range(32)))


def changed(**changes: object) -> TaskDocument:
    return msgspec.structs.replace(DOCUMENT, **changes)


def test_a_document_is_read_as_it_was_written() -> None:
    assert read_document(write_document(DOCUMENT)) == DOCUMENT


def test_bytes_of_a_version_stay_what_they_are() -> None:
    """Documents lie on chains: whoever changes what one holds gives the form a new version."""
    assert (DOCUMENT.version, sha256(write_document(DOCUMENT)).hex()[:16]) == (
        2,
        "a2b861640ecf2869",
    )


def test_document_of_an_older_version_is_refused_by_its_version() -> None:
    raw = bytearray(write_document(DOCUMENT))
    # An array of up to 65,535 elements, and the version first.
    raw[3] = 1
    with pytest.raises(MalformedBytesError, match=r"`int` >= 2 - at `\$\[0\]`"):
        read_document(bytes(raw))


def test_rounds_train_the_layouts_in_turn() -> None:
    assert [DOCUMENT.layout_of(number) for number in (0, 1, 2)] == [EVEN, ODD, EVEN]
    assert DOCUMENT.sharing is LoraLayout.ALT


@pytest.mark.parametrize(
    ("percent", "count", "feared"),
    [(20, 0, 0), (20, 1, 0), (20, 4, 0), (20, 5, 1), (20, 100, 20), (100, 3, 2), (0, 9, 0)],
)
def test_never_all_updates_are_feared(percent: int, count: int, feared: int) -> None:
    assert changed(byzantine_percent=percent).byzantine_among(count) == feared


def test_the_pins_decide_and_the_source_is_a_hint() -> None:
    assert DOCUMENT.frozen.source == "package:tiny"
    elsewhere = DOCUMENT.frozen_from("here")
    assert elsewhere.source == "here"
    assert (elsewhere.digest, elsewhere.tokenizer) == (DOCUMENT.pins.model, DOCUMENT.pins.tokenizer)
    assert elsewhere.labels == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label_names": ("a", "a")}, "named twice"),
        ({"label_names": ()}, "0 classes for a classification"),
        ({"kind": ModelKind.CAUSAL_LM}, "2 classes for a causal"),
        ({"layouts": (EVEN, TensorLayout((TensorSpec("other", (1,)),)))}, r"layouts\[1\]: the mod"),
        ({"layouts": (EVEN, TensorLayout(EVEN.tensors * 2))}, r"layouts\[1\]: .*twice"),
        ({"model_layout": TensorLayout((TensorSpec("b", (1,)), TensorSpec("a", (1,))))}, "model_l"),
    ],
    ids=["twice", "none", "of a language model", "foreign", "repeated", "unsorted"],
)
def test_a_document_that_contradicts_itself_is_refused(
    changes: dict[str, object], message: str
) -> None:
    document = changed(**changes)
    with pytest.raises(BadDocumentError, match=message):
        write_document(document)
    with pytest.raises(BadDocumentError, match=message):
        read_document(msgspec.msgpack.encode(document))


@pytest.mark.parametrize(
    "changes",
    [
        {"title": ""},
        {"title": "t" * 97},
        {"description": "d" * 8_193},
        {"version": 3},
        {"byzantine_percent": 101},
        {"start": b"short"},
        {"penalty": -1},
        {"tokens_max": 0},
        {"round_pause_ms": 2**40},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_out_of_bounds_does_not_decode(changes: dict[str, object]) -> None:
    with pytest.raises(MalformedBytesError):
        read_document(msgspec.msgpack.encode(changed(**changes)))


@pytest.mark.parametrize("raw", [b"", b"\xc0", b"\xc1", bytes(1_000)])
def test_garbage_is_no_document(raw: bytes) -> None:
    with pytest.raises(MalformedBytesError):
        read_document(raw)


def test_commitments_bind_to_task_round_and_who() -> None:
    root, salt = sha256(b"root"), sha256(b"salt")
    known = update_commitment(1, 2, trainer=WHO, root=root, salt=salt)
    place = (1).to_bytes(8, "big") + (2).to_bytes(8, "big") + WHO
    assert known == sha256(b"hanse/update-commitment/1" + place + root + salt)
    assert known != update_commitment(2, 1, trainer=WHO, root=root, salt=salt)
    card = bytes(19)
    scores = scores_commitment(1, 2, validator=WHO, card=card, salt=salt)
    assert scores == sha256(b"hanse/scores-commitment/1" + place + salt + card)


def test_a_short_salt_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match="31 bytes"):
        update_commitment(0, 0, trainer=WHO, root=bytes(32), salt=bytes(31))
