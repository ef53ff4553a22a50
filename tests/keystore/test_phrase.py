import pytest
from mnemonic import Mnemonic

from node.keystore.errors import PhraseError
from node.keystore.key_file import KeyKind
from node.keystore.phrase import PHRASE_WORDS, derive, new_phrase, read_phrase, seed_of
from node.keystore.secret import Secret

# Entropy and words of 256 bits: the test vectors of BIP-39.
VECTORS = (
    ("00" * 32, "abandon " * 23 + "art"),
    (
        "7f" * 32,
        "legal winner thank year wave sausage worth useful " * 2
        + "legal winner thank year wave sausage worth title",
    ),
    (
        "80" * 32,
        "letter advice cage absurd amount doctor acoustic avoid " * 2
        + "letter advice cage absurd amount doctor acoustic bless",
    ),
    ("ff" * 32, "zoo " * 23 + "vote"),
    (
        "3edc83b60740d77af3afa2fcb82c2f1bc541ee4e2518ddef4996d32453f54a3c",
        "disagree tomato unique attend aspect runway solid violin witness scrap armed daring "
        "favorite warm decade perfect target kid grant play early wide cigar night",
    ),
    (
        "911fec0fbd88029f6fa99164896c18d898c9232af18bdcca3e42d53b86493104",
        "much youth advance kitchen lens exile salt cram goose enter alert raise milk muscle "
        "profit cousin system faint mouse price reveal cause series long",
    ),
)
ABANDON = VECTORS[0][1]
# The seeds of BIP-39, without a passphrase and with that of its vectors.
STRETCHED = {
    "": "408b285c123836004f4b8842c89324c1f01382450c0d439af345ba7fc49acf70"
    "5489c6fc77dbd4e3dc1dd8cc6bc9f043db8ada1e243c4a0eafb290d399480840",
    "TREZOR": "bda85446c68413707090a52022edd26a1c9462295029f2e60cd7c4f2bbd30971"
    "70af7a4d73245cafa9c3cca8d561a7c3de6f5d4a10be8ed2a5e608d68f92fcc8",
}
ACCOUNT_OF_ABANDON = "1abdff2c6d0be6e9e9a3db0c428c8c292898ddc61621da3553356ffd31ffc985"


@pytest.mark.parametrize("passphrase", STRETCHED)
def test_stretched_words_are_those_of_bip_39(passphrase: str) -> None:
    assert Mnemonic.to_seed(ABANDON, passphrase).hex() == STRETCHED[passphrase]


@pytest.mark.parametrize(("entropy", "words"), VECTORS)
def test_words_are_those_of_bip_39(entropy: str, words: str) -> None:
    phrase = new_phrase(lambda size: bytes.fromhex(entropy)[:size])
    assert phrase.reveal().decode() == words
    assert read_phrase(words).reveal().decode() == words


def test_phrase_is_read_however_it_is_written() -> None:
    written = "  " + ABANDON.upper().replace(" ", "\n\t ")
    assert read_phrase(written).reveal().decode() == ABANDON


# Source: SLIP-0010, test vector 1 for ed25519.
SLIP_10 = (
    ((), "2b4be7f19ee27bbf30c667b642d5f4aa69fd169872f8fc3059c08ebae2eb19e7"),
    ((0,), "68e0fe46dfb67e368c75379acec591dad19df3cde26e63b93a8e704f1dade7a3"),
    ((0, 1), "b1d0bad404bf35da785a64ca1ac54b2617211d2777696fbffaf208f746ae84f2"),
    ((0, 1, 2), "92a5b23c0b8a99e37d07df3fb9966917f5d06e02ddbd909c7e184371463e9fc9"),
    ((0, 1, 2, 2), "30d1dc7e5fc04c31219ab25a27ae00b50f6fd66622f6e9c913253d6511d1e662"),
    ((0, 1, 2, 2, 10**9), "8f94d394a8e8fd6b1bc2f3f49f5c47e385281d5c17e65324b0f62483e37e8793"),
)


@pytest.mark.parametrize(("path", "seed"), SLIP_10)
def test_derivation_is_that_of_slip_0010(path: tuple[int, ...], seed: str) -> None:
    assert derive(Secret(bytes(range(16))), path).reveal().hex() == seed


def test_keys_of_one_phrase_differ_and_stay_the_same() -> None:
    seeds = {kind: seed_of(Secret(ABANDON.encode()), kind).reveal() for kind in KeyKind}
    assert len(set(seeds.values())) == len(KeyKind)
    stretched = Secret(bytes.fromhex(STRETCHED[""]))
    assert seeds[KeyKind.CONSENSUS] == derive(stretched, (44, 1212239443, 1, 0)).reveal()
    assert seeds[KeyKind.ACCOUNT].hex() == ACCOUNT_OF_ABANDON


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "a phrase has 24 words, these are 0"),
        ("abandon " * 12, "a phrase has 24 words, these are 12"),
        ("abandon " * 24, "the words are known but do not belong together"),
        ("abandon " * 22 + "artt abandon", "word 23 is not in the list of BIP-39; check its"),
        ("abandon " * 23 + "xxxxxxxx", "word 24 is not in the list of BIP-39"),
        ("a" * 2_000, "a phrase has 24 words"),
        (ABANDON + "\udcff", "is not in the list"),
    ],
)
def test_words_that_are_no_phrase_are_refused_without_being_told(text: str, reason: str) -> None:
    with pytest.raises(PhraseError) as caught:
        read_phrase(text)
    assert reason in str(caught.value)
    assert not {"artt", "xxxxxxxx"} & set(str(caught.value).split())


def test_new_phrase_takes_256_bits() -> None:
    sizes: list[int] = []

    def dice(size: int) -> bytes:
        sizes.append(size)
        return bytes(size)

    assert len(new_phrase(dice).reveal().split()) == PHRASE_WORDS
    assert sizes == [32]
