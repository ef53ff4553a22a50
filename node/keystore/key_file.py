"""One key in one file: what it is for, its public key, and its seed behind a password.

    the line "hanse key 1", and the canonical msgpack of SealedKey

The seed is encrypted with XSalsa20-Poly1305 under a key that Argon2id makes of the password. Who
changes the public part is found out when the file is opened, since the seed gives it again. The
cost stands in the file, and is bounded when it is read, so that a strange file cannot take all
memory. Source: RFC 9106 (Argon2id), libsodium's `secretbox` and its limits for passwords.
"""

import enum
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import msgspec
import nacl.exceptions
from nacl.pwhash import argon2id
from nacl.secret import SecretBox

from node.keystore.errors import KeyFileError, PasswordError
from node.keystore.private_file import read_private, write_private
from node.keystore.secret import Secret
from primitives.codec import Codec
from primitives.errors import InvalidKeyError, MalformedBytesError
from primitives.keys import PUBLIC_KEY_SIZE_BYTES, SEED_SIZE_BYTES, PrivateKey, PublicKey

MAGIC: Final = b"hanse key 1\n"
KEY_FILE_BYTES_MAX: Final = 1_024
PASSWORD_LENGTH_MIN: Final = 8
PASSWORD_LENGTH_MAX: Final = 1_024
MEMORY_KIB_MAX: Final = 1 << 20
PASSES_MAX: Final = 16
_BOX_SIZE_BYTES: Final = SecretBox.NONCE_SIZE + SEED_SIZE_BYTES + SecretBox.MACBYTES


@enum.unique
class KeyKind(enum.Enum):
    """What a key is for."""

    ACCOUNT = "account"
    """Holds money and signs transactions."""

    CONSENSUS = "consensus"
    """Signs the blocks of a validator."""

    NODE = "node"
    """Names a node among its peers."""


class Cost(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """What one guess at a password costs."""

    passes: Annotated[int, msgspec.Meta(ge=1, le=PASSES_MAX)]
    memory_kib: Annotated[int, msgspec.Meta(ge=8, le=MEMORY_KIB_MAX)]


FOR_PEOPLE: Final = Cost(3, 256 << 10)
"""About a second: for keys that hold money, whose passwords people invent."""

FOR_NODES: Final = Cost(2, 64 << 10)
"""A tenth of that: for the keys that a node opens each time that it starts."""


class SealedKey(
    msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True, kw_only=True
):
    """A key file after its first line.

    Args:
        box: nonce, authenticator and encrypted seed, as `SecretBox` puts them together.
    """

    kind: KeyKind
    public: Annotated[
        bytes, msgspec.Meta(min_length=PUBLIC_KEY_SIZE_BYTES, max_length=PUBLIC_KEY_SIZE_BYTES)
    ]
    cost: Cost
    salt: Annotated[
        bytes, msgspec.Meta(min_length=argon2id.SALTBYTES, max_length=argon2id.SALTBYTES)
    ]
    box: Annotated[bytes, msgspec.Meta(min_length=_BOX_SIZE_BYTES, max_length=_BOX_SIZE_BYTES)]


SEALED_KEY_CODEC: Codec[SealedKey] = Codec(SealedKey, size_bytes_max=KEY_FILE_BYTES_MAX)


def write_key(
    path: Path,
    seed: Secret,
    *,
    kind: KeyKind,
    password: Secret,
    cost: Cost = FOR_NODES,
    random_bytes: Callable[[int], bytes],
) -> PublicKey:
    """Encrypt a seed into a new file of mode 0600 and return its public key.

    Raises:
        PasswordError: the password is too short or too long.
        InvalidKeyError: the seed has not 32 bytes.
        KeyExistsError: the file exists.
        KeyFileError: the disk takes no file there.
    """
    raw = normal_password(password)
    public = PrivateKey.from_seed(seed.reveal()).public
    salt = random_bytes(argon2id.SALTBYTES)
    box = SecretBox(_stretched(raw, salt=salt, cost=cost))
    nonce = random_bytes(SecretBox.NONCE_SIZE)
    sealed = SealedKey(
        kind=kind,
        public=public.raw,
        cost=cost,
        salt=salt,
        box=bytes(box.encrypt(seed.reveal(), nonce)),
    )
    write_private(path, MAGIC + SEALED_KEY_CODEC.encode(sealed))
    return public


def read_sealed(path: Path) -> SealedKey:
    """Return what a key file says without its password.

    Raises:
        KeyPermissionError: other users may read or write it.
        KeyFileError: it is missing, damaged, or no key file.
    """
    raw = read_private(path, size_bytes_max=KEY_FILE_BYTES_MAX)
    if not raw.startswith(MAGIC):
        raise KeyFileError("not a key file", path=path)
    try:
        sealed = SEALED_KEY_CODEC.decode(raw.removeprefix(MAGIC))
        PublicKey.from_raw(sealed.public)
    except (MalformedBytesError, InvalidKeyError) as error:
        raise KeyFileError(f"the key file is damaged: {error}", path=path) from error
    return sealed


def open_seed(path: Path, *, password: Secret) -> Secret:
    """Return the seed in a key file.

    Raises:
        PasswordError: the password is another.
        KeyPermissionError: other users may read or write the file.
        KeyFileError: it is missing, damaged, or no key file.
    """
    sealed = read_sealed(path)
    box = SecretBox(_stretched(normal_password(password), salt=sealed.salt, cost=sealed.cost))
    try:
        seed = Secret(box.decrypt(sealed.box))
    except nacl.exceptions.CryptoError as error:
        raise PasswordError(f"{path}: the password is wrong") from error
    if PrivateKey.from_seed(seed.reveal()).public.raw != sealed.public:
        raise KeyFileError("the key file is damaged: its public key is of another", path=path)
    return seed


def open_key(path: Path, *, password: Secret, kind: KeyKind | None = None) -> PrivateKey:
    """Return the key in a file.

    Args:
        path: of the file.
        password: of the file.
        kind: what the key must be for; None: anything.

    Raises:
        PasswordError: the password is another.
        KeyPermissionError: other users may read or write the file.
        KeyFileError: it is missing, damaged, no key file, or of another kind.
    """
    found = read_sealed(path).kind
    if kind not in (None, found):
        reason = f"this is the {found.value} key, the {kind.value} key belongs here"
        raise KeyFileError(reason, path=path)
    return PrivateKey.from_seed(open_seed(path, password=password).reveal())


def normal_password(password: Secret) -> bytes:
    """Return the bytes of a password, equal for texts that look equal.

    Raises:
        PasswordError: too short, too long, or not UTF-8.
    """
    try:
        text = password.reveal().decode("utf-8")
    except UnicodeDecodeError as error:
        raise PasswordError("the password is not UTF-8") from error
    if not PASSWORD_LENGTH_MIN <= len(text) <= PASSWORD_LENGTH_MAX:
        raise PasswordError(
            f"a password has {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} letters"
        )
    return unicodedata.normalize("NFKC", text).encode()


def _stretched(password: bytes, *, salt: bytes, cost: Cost) -> bytes:
    try:
        return argon2id.kdf(
            SecretBox.KEY_SIZE,
            password,
            salt,
            opslimit=cost.passes,
            memlimit=cost.memory_kib << 10,
        )
    except nacl.exceptions.RuntimeError as error:
        raise PasswordError(
            f"no memory to check the password: it takes {cost.memory_kib >> 10} MiB"
        ) from error
