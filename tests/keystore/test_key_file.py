import os
import pickle
from pathlib import Path

import msgspec
import pytest

from node.keystore.errors import (
    KeyExistsError,
    KeyFileError,
    KeyPermissionError,
    PasswordError,
)
from node.keystore.key_file import (
    MAGIC,
    SEALED_KEY_CODEC,
    Cost,
    KeyKind,
    open_key,
    open_seed,
    read_sealed,
    write_key,
)
from node.keystore.secret import Secret
from primitives.hashing import Domain
from primitives.keys import PrivateKey, PublicKey

CHEAP = Cost(1, 8)
PASSWORD = Secret(b"correct horse")
SEED = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "one.key"


def _write(path: Path, seed: bytes = SEED, password: Secret = PASSWORD) -> PublicKey:
    return write_key(
        path,
        Secret(seed),
        kind=KeyKind.ACCOUNT,
        password=password,
        cost=CHEAP,
        random_bytes=os.urandom,
    )


def test_key_comes_back_with_its_password(path: Path) -> None:
    public = _write(path)
    key = open_key(path, password=PASSWORD, kind=KeyKind.ACCOUNT)
    assert key.public == public == PrivateKey.from_seed(SEED).public
    public.verify(Domain.TRANSACTION, b"message", key.sign(Domain.TRANSACTION, b"message"))
    assert open_seed(path, password=PASSWORD).reveal() == SEED


def test_file_holds_no_seed_and_is_for_its_owner_alone(path: Path) -> None:
    _write(path)
    assert SEED not in path.read_bytes()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_equal_keys_are_not_seen_to_be_equal(path: Path) -> None:
    other = path.with_name("two.key")
    _write(path)
    _write(other)
    assert read_sealed(path).box != read_sealed(other).box
    assert read_sealed(path).salt != read_sealed(other).salt


def test_wrong_password_is_one_line(path: Path) -> None:
    _write(path)
    with pytest.raises(PasswordError) as caught:
        open_key(path, password=Secret(b"wrong horse"))
    assert str(caught.value) == f"{path}: the password is wrong"


def test_password_that_looks_the_same_is_the_same(path: Path) -> None:
    _write(path, password=Secret("Zürich-2024".encode()))
    assert open_seed(path, password=Secret("Zu\u0308rich-2024".encode())).reveal() == SEED


@pytest.mark.parametrize("password", [b"", b"short", b"x" * 2_000, b"\xff" * 10])
def test_password_that_is_none_is_refused_before_anything_is_written(
    password: bytes, path: Path
) -> None:
    with pytest.raises(PasswordError):
        _write(path, password=Secret(password))
    assert not path.exists()


def test_key_is_never_written_over(path: Path) -> None:
    _write(path)
    before = path.read_bytes()
    with pytest.raises(KeyExistsError, match=r"one\.key exists already"):
        _write(path, seed=bytes(32))
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777, 0o610])
def test_file_that_others_may_use_is_refused_with_the_remedy(mode: int, path: Path) -> None:
    _write(path)
    path.chmod(mode)
    with pytest.raises(KeyPermissionError, match=f"mode {mode:04o}.; run: chmod 600 "):
        read_sealed(path)


def test_key_for_another_purpose_is_refused(path: Path) -> None:
    _write(path)
    with pytest.raises(KeyFileError, match="this is the account key, the node key belongs here"):
        open_key(path, password=PASSWORD, kind=KeyKind.NODE)


def test_every_flipped_byte_is_noticed(path: Path) -> None:
    _write(path)
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(bytes(damaged))
        with pytest.raises((KeyFileError, PasswordError)):
            open_key(path, password=PASSWORD, kind=KeyKind.ACCOUNT)


def test_public_key_of_another_is_noticed(path: Path) -> None:
    _write(path)
    stranger = PrivateKey.from_seed(bytes(32)).public.raw
    sealed = msgspec.structs.replace(read_sealed(path), public=stranger)
    path.write_bytes(MAGIC + SEALED_KEY_CODEC.encode(sealed))
    with pytest.raises(KeyFileError, match="its public key is of another"):
        open_key(path, password=PASSWORD)


@pytest.mark.parametrize("cost", [Cost(1, 1 << 30), Cost(1_000, 8), Cost(0, 8), Cost(1, 1)])
def test_file_that_asks_for_too_much_work_is_refused(cost: Cost, path: Path) -> None:
    _write(path)
    sealed = msgspec.structs.replace(read_sealed(path), cost=cost)
    path.write_bytes(MAGIC + SEALED_KEY_CODEC.encode(sealed))
    with pytest.raises(KeyFileError, match="the key file is damaged"):
        open_key(path, password=PASSWORD)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a key file"),
        (b"-----BEGIN PRIVATE KEY-----\n", "not a key file"),
        (MAGIC, "the key file is damaged"),
        (MAGIC + b"\x93\x01\x02", "the key file is damaged"),
        (b"x" * 5_000, "longer than the 1024 bytes"),
    ],
)
def test_other_file_is_refused(content: bytes, reason: str, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=reason):
        read_sealed(path)


def test_what_is_no_file_is_refused(path: Path) -> None:
    with pytest.raises(KeyFileError, match="there is no such file"):
        read_sealed(path)
    path.parent.mkdir()
    os.mkfifo(path, 0o600)
    with pytest.raises(KeyFileError, match="not a plain file"):
        read_sealed(path)
    loop = path.with_name("loop.key")
    loop.symlink_to(loop)
    with pytest.raises(KeyFileError, match="cannot be read: "):
        read_sealed(loop)


def test_file_of_another_user_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(path)
    owner = path.stat().st_uid
    if owner == 0:
        os.chown(path, 12_345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(KeyPermissionError, match="belongs to another user"):
        read_sealed(path)


def test_disk_that_takes_no_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeyFileError, match="its folder cannot be made: File exists"):
        _write(tmp_path / "file" / "one.key")
    with pytest.raises(KeyFileError, match="cannot be written: File name too long"):
        _write(tmp_path / ("x" * 250))


def test_secrets_are_not_shown_and_not_copied() -> None:
    assert repr(PASSWORD) == f"{PASSWORD}" == "Secret(...)"
    with pytest.raises(TypeError):
        pickle.dumps(PASSWORD)
    assert not hasattr(PASSWORD, "__dict__")
