from pathlib import Path

import pytest

from cli.contract_arguments import Signature
from node.execution.local_chain import key_named
from primitives.errors import ConfigurationError, HanseError
from primitives.ids import Address
from tests.cli.live import Live

ALICE = key_named("alice").public
BOX = """
class Box(Contract):
    numbers: List[Int]
    owner: Address

    @init
    def start(self, owner: Address, first: Int):
        self.owner = owner
        self.numbers.append(first)

    @external
    def add(self, numbers: List[Int], note: Option[Str], flag: Bool):
        for number in numbers:
            self.numbers.append(number)
        emit("Added", count=len(numbers), flag=flag)

    @view
    def count(self) -> Int:
        return len(self.numbers)

    @view
    def owner_of(self) -> Address:
        return self.owner

    @view
    def item(self, place: Int) -> Int:
        return self.numbers[place]
"""


@pytest.fixture(scope="module")
def box(live: Live, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("source") / "box.contract"
    file.write_text(BOX)
    words = ("contract", "deploy", str(file), "alice", "7", "--yes")
    address = live.json(*words, key="alice")["contract"]
    assert isinstance(address, str)
    return address


def test_deployed_contract_is_asked_and_called(live: Live, box: str) -> None:
    assert live.run("contract", "view", box, "count").stdout == "1\n"
    assert live.json("contract", "view", box, "item", "0") == "7"
    assert live.json("contract", "view", box, "owner_of") == ALICE.did_key
    words = ("contract", "call", box, "add", "[1, 2]", '"hello"', "true")
    assert live.json(*words, key="alice")["receipt"]["status"] == "done"
    assert live.json("contract", "view", box, "count") == "3"


def test_events_are_listed(live: Live, box: str) -> None:
    live.json("contract", "call", box, "add", "[]", "null", "false", key="alice")
    events = live.json("contract", "events", box)["events"]
    assert events[-1]["event"]["name"] == "Added"
    assert "Added" in live.run("contract", "events", box).stdout
    assert live.run("contract", "events", box, "--since", "999999").stdout == "no events\n"


def test_earlier_state_is_asked_by_height(live: Live, box: str) -> None:
    height = live.json("contract", "events", box)["events"][0]["height"] - 1
    assert live.json("contract", "view", box, "count", "--height", str(height)) == "1"


def test_standard_contract_goes_by_its_name(live: Live) -> None:
    result = live.run("contract", "view", "identity", "is_taken", "nobody-has-this")
    assert result.stdout == "no\n"


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["view", "nothing", "count"], 3, "there is no contract nothing"),
        (["view", "identity", "nothing"], 3, "Registrar has no method nothing; there are:"),
        (["view", "identity", "is_taken"], 1, "the method takes Str; 0 words were given"),
        (["view", "identity", "name_of", "nobody"], 3, "there is no key 'nobody'"),
        (["view", "rounds", "task_of", "x"], 1, "expected Int"),
        (["view", "rounds", "task_of", "99"], 4, "no such task"),
    ],
)
def test_what_is_wrong_is_one_line(words: list[str], code: int, reason: str, live: Live) -> None:
    result = live.run("contract", *words)
    assert reason in result.stderr
    assert result.exit_code == code


def test_call_that_fails_on_the_chain_says_why(live: Live) -> None:
    result = live.run("contract", "call", "rounds", "close_task", "99", key="alice")
    assert result.exit_code == 4
    assert "no such task" in result.stderr


def test_deployment_asks_first(live: Live, tmp_path: Path) -> None:
    file = tmp_path / "box.contract"
    file.write_text(BOX)
    result = live.run("contract", "deploy", str(file), "alice", "1", key="alice", text="n\n")
    assert result.exit_code == 1
    assert "for ever?" in result.stderr


def test_call_that_sends_money_asks_first(live: Live, box: str) -> None:
    words = ("contract", "call", box, "add", "[]", "null", "false", "--value", "1.5")
    result = live.run(*words, key="alice", text="n\n")
    assert result.exit_code == 1
    assert "Send 1.5 HANSE to Box.add?" in result.stderr
    # It takes no money, so that this is where it fails when nobody is asked.
    assert live.run(*words, "--yes", key="alice").exit_code == 4


def _nobody(text: str) -> Address:
    raise ConfigurationError(f"{text} is nobody")


@pytest.mark.parametrize(
    ("params", "words", "reason"),
    [
        (("Int",), (), "the method takes Int; 0 words were given"),
        ((), ("1",), "the method takes nothing; 1 words were given"),
        (("Bool",), ("maybe",), "expected Bool"),
        (("Bytes",), ("xyz",), "expected Bytes as hex"),
        (("List[Int]",), ("1, 2",), "is no List[Int]: write it as JSON"),
        (("List[Int]",), ('["x"]',), "expected Int"),
        (("Address",), ("me",), "me is nobody"),
    ],
)
def test_words_that_are_no_arguments_are_refused(
    params: tuple[str, ...], words: tuple[str, ...], reason: str
) -> None:
    with pytest.raises(HanseError) as caught:
        Signature(params).values(words, _nobody)
    assert reason in str(caught.value)


def test_record_is_not_written_on_a_command_line() -> None:
    with pytest.raises(ConfigurationError, match="a Task cannot be written on a command line"):
        Signature(("Task",))


def test_nested_types_are_encoded_once() -> None:
    signature = Signature(("List[List[Int]]", "Option[List[Int]]", "List[Int]"))
    values = signature.values(("[[1], []]", "null", "[2]"), _nobody)
    assert values == [[[1], []], None, [2]]
    assert signature.encode(values)
    assert signature.jsons(("[[1], []]", "[3]", "[2]"), _nobody) == [[["1"], []], ["3"], ["2"]]
