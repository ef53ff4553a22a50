import subprocess
import sys

import pytest
from typer.testing import CliRunner, Result

from cli.main import app


def _peer(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["p2p", "peer", *arguments])


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--size", "3"], "--size takes at least 16 bytes"),
        (["--policy", "StrictNoSign"], "--msgid spec needs the author"),
        (["--publish", "1"], "--publish and --expect need a --topic"),
        (["--versions", "2.0"], "--versions takes some of 1.2, 1.1, 1.0"),
        (["--dial", "/ip4/127.0.0.1/tcp/1"], "does not end in /p2p/"),
        (["--dial", "localhost:1"], "is not a multiaddr"),
        (["--seed", "not hexadecimal"], "--seed takes 64 hexadecimal digits"),
        (["--listen", "/ip4/127.0.0.1/udp/1"], "no transport reaches"),
        (["--listen", "/ip4/192.0.2.1/tcp/1"], "cannot listen on"),
    ],
)
def test_plan_that_cannot_be_carried_out_is_one_line(arguments: list[str], reason: str) -> None:
    result = _peer(*arguments)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert reason in result.stderr


def test_unknown_policy_is_a_usage_error() -> None:
    assert _peer("--policy", "Sometimes").exit_code == 2


def test_help_names_every_flag_of_the_probe() -> None:
    result = _peer("--help")
    assert result.exit_code == 0
    for flag in ("--listen", "--dial", "--publish", "--msgid", "--perf-up", "--serve-only"):
        assert flag in result.stdout


def test_commands_do_not_load_p2p_before_they_run() -> None:
    program = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from cli.main import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "assert CliRunner().invoke(app, ['p2p', 'peer', '--help']).exit_code == 0\n"
        "print(*(name for name in sys.modules if name.split('.')[0] == 'p2p'))\n"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    assert not loaded.stdout.strip()
