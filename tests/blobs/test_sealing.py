"""An envelope opens for those it was sealed to, whole and unchanged, and for nobody else."""

import itertools

import pytest
from nacl.public import SealedBox
from nacl.signing import VerifyKey

from fl.rules.limits import SEATS_MAX
from node.blobs.errors import BadEnvelopeError
from node.blobs.sealed import HEADERS_SIZE_BYTES_MAX
from node.blobs.sealing import open_envelope, seal
from node.execution.local_chain import key_named
from primitives.errors import BadSealError
from primitives.hashing import sha256
from primitives.ids import Address
from primitives.keys import PrivateKey, PublicKey

UPDATE = b"the update" * 1_000


def operator(name: str) -> Address:
    return Address(key_named(name).public.raw)


def consensus_key(name: str) -> PrivateKey:
    return key_named(f"{name} consensus")


def recipients(*names: str) -> list[tuple[Address, PublicKey]]:
    return [(operator(name), consensus_key(name).public) for name in names]


class Rng:
    """Different bytes each time, the same in each run."""

    def __init__(self) -> None:
        self._turns = itertools.count()

    def __call__(self, size: int) -> bytes:
        return sha256(b"rng %d" % next(self._turns))[:size]


def sealed(*names: str, content: bytes = UPDATE) -> bytes:
    return seal(content, recipients=recipients(*names), rng=Rng())


@pytest.mark.parametrize("content", [b"", b"x", UPDATE])
def test_every_recipient_reads_it(content: bytes) -> None:
    raw = sealed("a", "b", "c", content=content)
    for name in ("a", "b", "c"):
        opened = open_envelope(raw, operator=operator(name), consensus_key=consensus_key(name))
        assert opened == content


def test_nobody_else_reads_it() -> None:
    raw = sealed("a", "b")
    assert UPDATE[:20] not in raw
    with pytest.raises(BadEnvelopeError, match="for 2 others"):
        open_envelope(raw, operator=operator("c"), consensus_key=consensus_key("c"))
    with pytest.raises(BadEnvelopeError, match="does not open our slot"):
        open_envelope(raw, operator=operator("a"), consensus_key=consensus_key("c"))


def test_the_order_of_recipients_does_not_show() -> None:
    def constant(size: int) -> bytes:
        return bytes(size)

    one = seal(b"x", recipients=recipients("a", "b"), rng=constant)
    assert one == seal(b"x", recipients=recipients("b", "a"), rng=constant)


def test_a_changed_envelope_does_not_open() -> None:
    raw = sealed("a", content=b"short")
    for place in range(len(raw)):
        changed = raw[:place] + bytes((raw[place] ^ 1,)) + raw[place + 1 :]
        with pytest.raises(BadEnvelopeError):
            open_envelope(changed, operator=operator("a"), consensus_key=consensus_key("a"))


@pytest.mark.parametrize("raw", [b"", b"\xc1", b"\x93\x90\xc4\x00\xc4\x00", bytes(100)])
def test_garbage_is_no_envelope(raw: bytes) -> None:
    with pytest.raises(BadEnvelopeError, match="no envelope"):
        open_envelope(raw, operator=operator("a"), consensus_key=consensus_key("a"))


@pytest.mark.parametrize("names", [(), ("a", "a"), tuple(str(n) for n in range(SEATS_MAX + 1))])
def test_none_too_many_or_equal_recipients_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(BadEnvelopeError, match=f"{len(names)} recipients"):
        sealed(*names)


def test_a_slot_that_is_sealed_right_over_the_wrong_key_is_found() -> None:
    raw = sealed("a", content=b"short")
    forged = consensus_key("a").public.seal(bytes(32), ephemeral_seed=bytes(32))
    place = raw.index(b"\xc4\x50") + 2
    changed = raw[:place] + forged + raw[place + len(forged) :]
    with pytest.raises(BadEnvelopeError, match="does not open the content"):
        open_envelope(changed, operator=operator("a"), consensus_key=consensus_key("a"))


def test_seals_are_those_of_libsodium() -> None:
    key = consensus_key("a")
    exchange = VerifyKey(key.public.raw).to_curve25519_public_key()
    theirs = SealedBox(exchange).encrypt(b"hello")
    assert key.unseal(theirs) == b"hello"
    with pytest.raises(BadSealError, match="not sealed to"):
        consensus_key("b").unseal(theirs)


def test_content_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.blobs.sealing.CONTENT_SIZE_BYTES_MAX", len(UPDATE) - 1)
    with pytest.raises(BadEnvelopeError, match="over the limit"):
        sealed("a")


def test_what_an_envelope_adds_is_bounded() -> None:
    names = tuple(str(number) for number in range(SEATS_MAX))
    assert len(sealed(*names)) <= len(UPDATE) + HEADERS_SIZE_BYTES_MAX
