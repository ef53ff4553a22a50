import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.keystore.test_phrase import ABANDON, ACCOUNT_OF_ABANDON

PASSWORD = "correct horse"


def _keys(folder: Path, *words: str, text: str | None = None, password: str = PASSWORD) -> Result:
    environ = {"HANSE_PASSWORD": password, "HANSE_FOLDER": str(folder)}
    return CliRunner(env=environ).invoke(app, ["keys", *words], input=text)


def test_new_key_can_be_made_again_from_its_words(tmp_path: Path) -> None:
    made = json.loads(_keys(tmp_path, "new", "one", "--json").stdout)
    assert len(made["phrase"].split()) == 24
    result = _keys(tmp_path, "import", "two", "--json", text=made["phrase"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["did"] == made["did"]


def test_new_key_prints_its_words_once_and_numbered(tmp_path: Path) -> None:
    result = _keys(tmp_path, "new", "one", "--kind", "node")
    assert result.exit_code == 0
    assert " 1 " in result.stdout
    assert "24 " in result.stdout
    assert "Write these words down" in result.stdout
    listed = json.loads(_keys(tmp_path, "list", "--json").stdout)
    assert [(one["name"], one["kind"]) for one in listed] == [("one", "node")]
    assert "phrase" not in listed[0]


def test_list_is_a_table_that_fits_eighty_columns(tmp_path: Path) -> None:
    assert _keys(tmp_path, "list").stdout == f"no keys in {tmp_path / 'keys'}\n"
    _keys(tmp_path, "import", "mine", text=ABANDON)
    lines = _keys(tmp_path, "list").stdout.splitlines()
    assert lines[0].split() == ["name", "kind", "did"]
    assert lines[1].split()[:2] == ["mine", "account"]
    assert max(map(len, lines)) <= 80


def test_known_words_give_a_known_key(tmp_path: Path) -> None:
    _keys(tmp_path, "import", "mine", text=ABANDON)
    shown = _keys(tmp_path, "export", "mine", "--form", "seed", "--yes")
    assert shown.stdout.strip() == ACCOUNT_OF_ABANDON
    hexed = _keys(tmp_path, "export", "mine", "--form", "hex").stdout.strip()
    did = _keys(tmp_path, "export", "mine").stdout.strip()
    assert len(bytes.fromhex(hexed)) == 32
    assert did.startswith("did:key:z6Mk")


def test_key_is_imported_from_a_seed_in_a_private_file(tmp_path: Path) -> None:
    file = tmp_path / "seed"
    file.write_text(ACCOUNT_OF_ABANDON)
    refused = _keys(tmp_path, "import", "mine", "--seed", "--file", str(file))
    assert refused.exit_code == 1
    assert "is open to other users" in refused.stderr
    file.chmod(0o600)
    result = _keys(tmp_path, "import", "mine", "--seed", "--file", str(file))
    assert result.exit_code == 0, result.output


def test_secret_is_shown_only_after_asking(tmp_path: Path) -> None:
    _keys(tmp_path, "import", "mine", text=ABANDON)
    result = _keys(tmp_path, "export", "mine", "--form", "seed", text="n\n")
    assert result.exit_code == 1
    assert ACCOUNT_OF_ABANDON not in result.output


@pytest.mark.parametrize(
    ("words", "text", "password", "reason"),
    [
        (["new", "../x"], None, PASSWORD, "is no name of a key"),
        (["new", "x"], None, "short", "a password has 8 to 1024 letters"),
        (["import", "x"], "abandon", PASSWORD, "a phrase has 24 words, these are 1"),
        (["import", "x", "--seed"], "abc", PASSWORD, "a seed has 64 hexadecimal digits"),
        (["import", "x", "--seed"], "ab" * 31, PASSWORD, "a seed has 64 hexadecimal digits"),
        (["import", "mine"], ABANDON, PASSWORD, "exists already; a key is never written over"),
        (["export", "mine", "--form", "seed", "--yes"], None, "wrong horse", "password is wrong"),
    ],
)
def test_what_is_wrong_is_one_line(
    words: list[str], text: str | None, password: str, reason: str, tmp_path: Path
) -> None:
    _keys(tmp_path, "import", "mine", text=ABANDON)
    result = _keys(tmp_path, *words, text=text, password=password)
    assert result.exit_code == 1
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1


def test_unknown_key_is_not_found(tmp_path: Path) -> None:
    result = _keys(tmp_path, "export", "nobody")
    assert result.exit_code == 3
    assert "there is no key 'nobody'" in result.stderr


def test_no_password_tells_where_to_put_it(tmp_path: Path) -> None:
    environ = {"HANSE_PASSWORD": None, "HANSE_FOLDER": str(tmp_path)}
    result = CliRunner(env=environ).invoke(app, ["keys", "new", "one"])
    assert result.exit_code == 1
    assert "set keys.password_file in hanse.toml, or HANSE_PASSWORD" in result.stderr
    assert not list(tmp_path.rglob("*.key"))
