"""Whatever a verb is given, it says in one line what is wrong, and ends with a documented code.

The verbs are found by walking the tree, so a new one is covered as soon as it is there. No node
runs, the key of an account is there with its password, and what is given is missing, too much,
huge, hostile, or answered by a server that is no node.
"""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from typer.testing import CliRunner, Result

from cli.exit_codes import ExitCode
from cli.main import app
from tests.cli.garbage import ANSWERS, garbage_server
from tests.cli.live import PASSWORD, Live, write_named_key
from tests.cli.offers import SPONSOR, TERMS, put_document
from tests.cli.verbs import HOSTILE, NOT_FINITE, Verb, verbs

NO_NODE: Final = "http://127.0.0.1:1"
VERBS: Final = [*verbs()]
PYTEST: Final = "contract test"
"""Its words are those of pytest, which has its own way of refusing them."""
SERVICES: Final = {"devnet up", "p2p peer", "contract test", "data fetch", "simulate"}
"""Verbs that start something with values that are odd but good: only bad ones are tried."""
REPORTS: Final = {"contract check", "node doctor", "light verify"}
"""Verbs whose finding is an answer, which may have several lines."""
SHARED: Final = {"fee", "tip", "gas", "key", "password_file", "node", "folder"}
"""Options that many verbs have from one place; tried with those of SHOWN."""
SHOWN: Final = {"account transfer", "chain head", "node init", "devnet status"}

Run: TypeAlias = Callable[..., Result]


@pytest.fixture(name="run")
def _run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    write_named_key(tmp_path / "home", "alice")
    monkeypatch.chdir(tmp_path)
    # Nothing may become a node, however good its arguments are.
    monkeypatch.setattr(os, "execv", lambda *_: pytest.fail("a node was started"))

    def run(words: list[str], *, node: str = NO_NODE) -> Result:
        environ = {
            "HANSE_PASSWORD": PASSWORD,
            "HANSE_NODE": node,
            "HANSE_FOLDER": str(tmp_path / "home"),
            "HANSE_DEVNET": str(tmp_path / "devnet"),
        }
        return CliRunner(env=environ).invoke(app, words)

    return run


def named(verb: Verb) -> str:
    return str(verb)


def check(verb: Verb, result: Result) -> None:
    """Check that a command ended as promised, whether it was done or not."""
    shown = (str(verb), result.exit_code, result.stderr[:500], result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit), shown
    assert result.exit_code in set(ExitCode), shown
    if result.exit_code == ExitCode.DONE or str(verb) in REPORTS:
        return
    lines = result.stderr.splitlines()
    *before, last = lines or [""]
    assert last.startswith("error: "), shown
    assert last.isprintable(), shown
    assert len(last) < 1_200, shown
    # A question that nobody answered, or a word of caution, may stand before it.
    assert all(one.startswith("warning: ") or one.rstrip().endswith("[y/N]:") for one in before), (
        shown
    )


@pytest.mark.parametrize("verb", VERBS, ids=named)
def test_words_that_are_missing_unknown_or_odd_are_one_line(verb: Verb, run: Run) -> None:
    unknown = run([*verb.words, "--no-such-option"])
    assert unknown.exit_code == ExitCode.USAGE
    if str(verb) == PYTEST:
        return
    check(verb, unknown)
    for one in (*verb.arguments, *verb.options):
        if one.required:
            missing = run(verb.line({}, skip=one.name))
            assert missing.exit_code == ExitCode.USAGE
            check(verb, missing)
    if str(verb) not in SERVICES:
        place = VERBS.index(verb)
        own = [one.name for one in (*verb.arguments, *verb.options) if one.name not in SHARED]
        odd = {name: HOSTILE[(place + step) % len(HOSTILE)] for step, name in enumerate(own)}
        check(verb, run(verb.line(odd)))


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS, ids=named)
def test_every_hostile_value_of_every_parameter_is_one_line(verb: Verb, run: Run) -> None:
    if str(verb) in SERVICES:
        return
    for one in (*verb.arguments, *verb.options):
        if one.name in SHARED and str(verb) not in SHOWN:
            continue
        for value in HOSTILE:
            check(verb, run(verb.line({one.name: value})))


REAL: Final = [verb for verb in VERBS if verb.reals]


@pytest.mark.parametrize("verb", REAL, ids=named)
def test_number_that_is_not_finite_is_a_usage_error(verb: Verb, run: Run) -> None:
    for name in verb.reals:
        for value in NOT_FINITE:
            result = run(verb.line({name: value}))
            assert result.exit_code == ExitCode.USAGE, (name, value, result.stderr[:500])
            check(verb, result)


def test_verbs_that_take_real_numbers_are_found() -> None:
    assert {"devnet up", "model publish", "p2p peer"} <= {str(verb) for verb in REAL}


ASKING: Final = [verb for verb in VERBS if "--node" in verb.flags]


@pytest.mark.parametrize("name", ANSWERS)
def test_server_that_is_no_node_is_one_line(name: str, run: Run) -> None:
    with garbage_server(ANSWERS[name]) as url:
        for verb in ASKING[list(ANSWERS).index(name) :: len(ANSWERS)]:
            result = run(verb.line({}), node=url)
            assert result.exit_code != ExitCode.DONE, (str(verb), result.stdout)
            check(verb, result)


@pytest.mark.slow
@pytest.mark.parametrize("name", ANSWERS)
def test_no_verb_minds_a_server_that_is_no_node(name: str, run: Run) -> None:
    with garbage_server(ANSWERS[name]) as url:
        for verb in ASKING:
            check(verb, run(verb.line({}), node=url))


@pytest.mark.slow
def test_server_that_never_answers_is_waited_for_a_while(run: Run) -> None:
    end = threading.Event()
    with garbage_server(b"", end=end) as url:
        began_s = time.perf_counter()
        result = run(["chain", "head"], node=url)
        assert time.perf_counter() - began_s < 20
        end.set()
    assert result.exit_code == ExitCode.NO_CONNECTION
    assert "did not answer in 15 s" in result.stderr


def test_wrong_password_is_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "word").write_text("another\n")
    (tmp_path / "word").chmod(0o600)
    with garbage_server(b"") as url:
        words = ["identity", "token", "--password-file", str(tmp_path / "word")]
        result = run(words, node=url)
    assert result.exit_code == ExitCode.FAILED
    assert "password" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.slow
def test_every_hostile_term_of_an_offer_is_one_line_where_a_node_answers(
    live: Live, tmp_path: Path
) -> None:
    cid = put_document(live, tmp_path)
    (verb,) = (one for one in VERBS if str(one) == "task create")
    for one in verb.options:
        if one.name in SHARED:
            continue
        for value in HOSTILE:
            term = (max(one.opts, key=len), value)
            words = ("task", "create", "--document", cid, *TERMS, *term, "--no-list", "--yes")
            check(verb, live.run(*words, key=SPONSOR))


@pytest.mark.parametrize("number", [2**63, 2**64, 10**400])
def test_number_that_no_transaction_holds_is_a_usage_error(number: int, live: Live) -> None:
    for name in ("--fee", "--tip", "--gas"):
        result = live.run("task", "close", "0", "--yes", name, str(number), key=SPONSOR)
        assert result.exit_code == ExitCode.USAGE, (name, result.stderr, result.exception)
    result = live.run("task", "close", str(number), "--yes", key=SPONSOR)
    assert result.exit_code == ExitCode.USAGE, (result.stderr, result.exception)
