from pathlib import Path

import pytest

from node.keystore.errors import KeyFileError, KeyPermissionError, PasswordError
from node.keystore.password import PASSWORD_VARIABLE, find_password


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_bytes(b"from a file\r\nand no more\n")
    path.chmod(0o600)
    return path


def test_file_comes_before_the_variable_and_a_person_last(file: Path) -> None:
    environ = {PASSWORD_VARIABLE: "from a variable"}

    def ask() -> str:
        return "from a person"

    def found(path: Path | None, variables: dict[str, str]) -> bytes:
        return find_password(file=path, environ=variables, ask=ask).reveal()

    assert found(file, environ) == b"from a file"
    assert found(None, environ) == b"from a variable"
    assert found(None, {}) == b"from a person"


def test_no_source_tells_where_to_put_it() -> None:
    with pytest.raises(PasswordError, match=r"set keys\.password_file in hanse\.toml, or HANSE_"):
        find_password(file=None, environ={})


def test_file_that_others_may_read_is_refused(file: Path) -> None:
    file.chmod(0o644)
    with pytest.raises(KeyPermissionError, match="run: chmod 600"):
        find_password(file=file, environ={})


def test_file_that_is_missing_is_not_replaced_by_another_source(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="there is no such file"):
        find_password(file=tmp_path / "nothing", environ={PASSWORD_VARIABLE: "other one"})
