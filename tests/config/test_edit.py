from pathlib import Path

import pytest

from node.config.default_file import default_file
from node.config.edit import edit_config, with_key
from node.config.errors import ConfigFileError
from node.config.load import load_config

KEY = "training.tasks"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "\n[training]\ntasks = [1]\n"),
        ("[training]\n", "[training]\ntasks = [1]\n"),
        ("[training] # us\ntasks = 'all'\n", "[training] # us\ntasks = [1]\n"),
        ("[training]\n# tasks = 2\n[logs]\n", "[training]\ntasks = [1]\n[logs]\n"),
        (
            "[training]\n#tasks = 1\ntasks = []\n[training.columns]\ntext = 'a'\n",
            "[training]\n#tasks = 1\ntasks = [1]\n[training.columns]\ntext = 'a'\n",
        ),
        ("[logs]\ntasks = 1\n", "[logs]\ntasks = 1\n\n[training]\ntasks = [1]\n"),
    ],
)
def test_one_line_changes(before: str, after: str) -> None:
    assert with_key(before, KEY, (1,)) == after


def test_file_keeps_every_other_line_and_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "hanse.toml"
    path.write_text(default_file({"node.name": "one"}))
    path.chmod(0o640)
    lines = set(path.read_text().splitlines())
    edit_config(tmp_path, KEY, (3, 4))
    assert load_config(tmp_path, {}).training.tasks == (3, 4)
    assert load_config(tmp_path, {}).node.name == "one"
    assert set(path.read_text().splitlines()) - lines == {"tasks = [3, 4]"}
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["[training]\ntasks = [\n1,\n]\n", "[nothing]\n"])
def test_file_that_would_break_stays_as_it_is(text: str, tmp_path: Path) -> None:
    path = tmp_path / "hanse.toml"
    path.write_text(text)
    with pytest.raises(ConfigFileError):
        edit_config(tmp_path, KEY, (1,))
    assert path.read_text() == text


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match="cannot be read"):
        edit_config(tmp_path, KEY, (1,))
