import os
from pathlib import Path

import pytest

from node.keystore.errors import KeystoreError, UnknownKeyError
from node.keystore.folder import KnownKey, find_key, key_path, known_keys
from node.keystore.key_file import KeyKind, write_key
from node.keystore.secret import Secret
from primitives.keys import PublicKey
from tests.keystore.test_key_file import CHEAP, PASSWORD


def _add(folder: Path, name: str, kind: KeyKind = KeyKind.ACCOUNT) -> PublicKey:
    return write_key(
        key_path(folder, name),
        Secret(os.urandom(32)),
        kind=kind,
        password=PASSWORD,
        cost=CHEAP,
        random_bytes=os.urandom,
    )


def test_keys_are_listed_by_name_without_a_password(tmp_path: Path) -> None:
    assert known_keys(tmp_path / "nothing") == ()
    publics = {name: _add(tmp_path, name) for name in ("b", "a", "C-3.x_")}
    listed = known_keys(tmp_path)
    assert [key.name for key in listed] == ["C-3.x_", "a", "b"]
    assert {key.name: key.public for key in listed} == publics


def test_key_is_found_by_name(tmp_path: Path) -> None:
    public = _add(tmp_path, "one", KeyKind.NODE)
    assert find_key(tmp_path, "one") == KnownKey(
        name="one", kind=KeyKind.NODE, public=public, path=tmp_path / "one.key"
    )


def test_unknown_name_tells_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownKeyError, match=r"there is no key 'two' in .*; there are: none"):
        find_key(tmp_path, "two")
    _add(tmp_path, "one")
    with pytest.raises(UnknownKeyError, match="there are: one"):
        find_key(tmp_path, "two")


@pytest.mark.parametrize("name", ["", "..", "../one", "a/b", ".hidden", "a\n", "x" * 65, "é", "-a"])
def test_name_that_could_leave_the_folder_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(KeystoreError, match="is no name of a key"):
        key_path(tmp_path, name)
