"""24 words that restore keys: BIP-39 from words to a seed, SLIP-0010 from there to Ed25519 keys.

The path of a key is m/44'/1212239443'/PURPOSE'/0'; the second number is "HANS" in ASCII, since no
coin type is registered for this project. Sources: BIP-39, BIP-43, SLIP-0010.
"""

import difflib
import hashlib
import hmac
import unicodedata
from collections.abc import Callable
from typing import Final

from mnemonic import Mnemonic

from node.keystore.errors import PhraseError
from node.keystore.key_file import KeyKind
from node.keystore.secret import Secret

PHRASE_WORDS: Final = 24
ENTROPY_SIZE_BYTES: Final = 32
_PHRASE_LENGTH_MAX: Final = 1_024
_HARDENED: Final = 1 << 31
_COIN: Final = int.from_bytes(b"HANS", "big")
_PURPOSES: Final = {KeyKind.ACCOUNT: 0, KeyKind.CONSENSUS: 1, KeyKind.NODE: 2}
_WORDS: Final = Mnemonic("english")


def new_phrase(random_bytes: Callable[[int], bytes]) -> Secret:
    """Return the words of a new phrase, with spaces between them."""
    return Secret(_WORDS.to_mnemonic(random_bytes(ENTROPY_SIZE_BYTES)).encode())


def read_phrase(text: str) -> Secret:
    """Return a phrase that a person wrote, in its normal form.

    Raises:
        PhraseError: a word is unknown, their number is another, or the checksum does not match.
    """
    if len(text) > _PHRASE_LENGTH_MAX:
        raise PhraseError(f"a phrase has {PHRASE_WORDS} words")
    words = unicodedata.normalize("NFKD", text).lower().split()
    if len(words) != PHRASE_WORDS:
        raise PhraseError(f"a phrase has {PHRASE_WORDS} words, these are {len(words)}")
    for place, word in enumerate(words, start=1):
        if word not in _WORDS.wordlist:
            # Not the word itself: it may be a slip of a secret, and messages are kept in logs.
            close = difflib.get_close_matches(word, _WORDS.wordlist, n=1)
            hint = "; check its spelling" if close else ""
            raise PhraseError(f"word {place} is not in the list of BIP-39{hint}")
    joined = " ".join(words)
    if not _WORDS.check(joined):
        raise PhraseError("the words are known but do not belong together: check their order")
    return Secret(joined.encode())


def seed_of(phrase: Secret, kind: KeyKind) -> Secret:
    """Return the Ed25519 seed of the key of a kind that the phrase restores."""
    stretched = Mnemonic.to_seed(phrase.reveal().decode())
    return derive(Secret(stretched), (44, _COIN, _PURPOSES[kind], 0))


def derive(seed: Secret, path: tuple[int, ...]) -> Secret:
    """Return the Ed25519 seed at a path whose parts are all hardened, as SLIP-0010 derives it."""
    node = hmac.digest(b"ed25519 seed", seed.reveal(), hashlib.sha512)
    for part in path:
        key, chain_code = node[:32], node[32:]
        message = b"\0" + key + (part | _HARDENED).to_bytes(4, "big")
        node = hmac.digest(chain_code, message, hashlib.sha512)
    return Secret(node[:32])
