import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from cli.exit_codes import MEANINGS
from cli.main import GROUPS, app

VERBS = {
    "node": {"init", "run", "settings", "status", "doctor", "peers", "logs"},
    "keys": {"new", "import", "list", "export"},
    "identity": {"register", "admit", "show", "token", "revoke"},
    "model": {"publish", "list", "show", "pull", "verify", "diff", "lineage"},
    "account": {"balance", "transfer"},
    "stake": {
        "bond",
        "unbond",
        "delegate",
        "undelegate",
        "withdraw",
        "unjail",
        "rewards",
        "validators",
    },
    "task": {"create", "list", "show", "join", "leave", "close"},
    "round": {"show", "watch"},
    "update": {"submit"},
    "blob": {"put", "get", "pin"},
    "contract": {"deploy", "call", "view", "events", "check", "test", "gas", "disassemble"},
    "tx": {"send", "show", "wait"},
    "chain": {"head", "commit", "checkpoint", "export"},
    "data": {"fetch"},
    "light": {"verify"},
    "p2p": {"peer"},
}
COMMANDS = sorted((group, verb) for group, verbs in VERBS.items() for verb in verbs)


def _run(*words: str) -> "tuple[int, str]":
    result = CliRunner().invoke(app, words)
    return result.exit_code, result.output


def test_root_lists_every_group_and_exit_code() -> None:
    code, text = _run("--help")
    assert code == 0
    flat = " ".join(text.split())
    for name, _, summary, _ in GROUPS:
        assert f"│ {name}" in text
        assert summary in text
    for exit_code, meaning in MEANINGS.items():
        assert f"{exit_code.value} {meaning}" in flat


def test_groups_have_these_commands() -> None:
    root = typer.main.get_command(app)
    assert isinstance(root, typer.core.TyperGroup)
    context = typer.Context(root)
    for name, verbs in VERBS.items():
        group = root.get_command(context, name)
        assert isinstance(group, typer.core.TyperGroup)
        assert set(group.list_commands(context)) == verbs


@pytest.mark.slow
@pytest.mark.parametrize(("group", "verb"), COMMANDS)
def test_every_command_explains_itself_and_its_options(group: str, verb: str) -> None:
    code, text = _run(group, verb, "--help")
    assert code == 0, text
    assert max(map(len, text.splitlines())) <= 80
    lines = text.splitlines()
    usage = next(place for place, line in enumerate(lines) if "Usage:" in line)
    assert len(lines[usage + 2].split()) >= 3


@pytest.mark.parametrize("group", VERBS)
def test_group_without_a_command_is_help_and_a_usage_error(group: str) -> None:
    code, text = _run(group)
    assert code == 2
    assert "Usage:" in text


def test_misspelt_command_names_the_right_one() -> None:
    code, text = _run("chain", "haed")
    assert code == 2
    assert "head" in text


def test_help_of_everything_loads_neither_torch_nor_a_room() -> None:
    program = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from cli.main import app, GROUPS\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "early = [name for name in sys.modules if name.split('.')[0] in ('node', 'fl', 'p2p')]\n"
        "for group, *_ in GROUPS:\n"
        "    assert CliRunner().invoke(app, [group, '--help']).exit_code == 0\n"
        "rooms = ('torch', 'transformers', 'node', 'fl', 'p2p', 'consensus', 'aiohttp', 'numpy')\n"
        "late = [name for name in sys.modules if name.split('.')[0] in rooms]\n"
        "print(early, late)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    assert ran.stdout.strip() == "[] []"
