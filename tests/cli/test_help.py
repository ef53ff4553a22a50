import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import cli.main
from cli.epilogs import EXAMPLES
from cli.exit_codes import MEANINGS
from cli.main import GROUPS, app

VERBS = {
    "devnet": {
        "up",
        "status",
        "down",
        "logs",
        "kill",
        "pause",
        "resume",
        "restart",
        "join",
        "partition",
        "heal",
        "load",
    },
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
ROOT = Path(cli.main.__file__).parents[1]
DRAWN = re.compile(r"[^\x00-\x7f\u2500-\u257f…]")
"""What is neither ASCII nor the frame of a panel."""
COMMANDS = sorted((group, verb) for group, verbs in VERBS.items() for verb in verbs)


def _run(*words: str) -> "tuple[int, str]":
    result = CliRunner().invoke(app, words)
    return result.exit_code, result.output


def test_verbs_are_those_of_every_group() -> None:
    assert set(VERBS) == {name for name, *_ in GROUPS}


def test_address_in_an_example_is_shown_as_it_is_written() -> None:
    code, text = _run("account", "transfer", "--help")
    assert code == 0
    assert "hanse account transfer did:key:z6Mk... 1.5" in text


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
    assert DRAWN.findall(text) == []
    flat = " ".join(text.split())
    example = EXAMPLES[f"{group} {verb}"]
    assert f"Example: `{example}`" in flat
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


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("hanse devn", {"devnet"}),
        ("hanse stake un", {"unbond", "undelegate", "unjail"}),
        ("hanse stake unbond --pass", {"--password-file"}),
    ],
)
def test_shell_completes_groups_verbs_and_options(typed: str, offered: set[str]) -> None:
    environ = {
        "_HANSE_COMPLETE": "complete_bash",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(typed.split()) - 1),
    }
    result = CliRunner(env=environ).invoke(app, [], prog_name="hanse")
    assert result.exit_code == 0
    assert set(result.stdout.split()) == offered


def test_documents_that_the_code_names_are_there() -> None:
    named = {
        name
        for source in (ROOT / "cli").glob("*.py")
        for name in re.findall(r"\bdocs/[\w/-]+\.md", source.read_text())
    }
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


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
