import pytest

from tests.tidy import purity
from tests.tidy.sources import Source


@pytest.mark.parametrize(
    "text", ["share = 0.5", "share = stake / total", "stake /= 2", "float(stake)", "x = 1j"]
)
def test_real_number_is_reported(text: str) -> None:
    assert len(list(purity.real_numbers([Source.of(text)]))) == 1


def test_integer_division_is_accepted() -> None:
    assert not list(purity.real_numbers([Source.of("quorum = total * 2 // 3 + 1")]))


@pytest.mark.parametrize("name", ["hash", "id"])
def test_identity_hash_is_reported(name: str) -> None:
    source = Source.of(f"class Dag:\n    def key(self):\n        return {name}(self)")
    (finding,) = purity.identity_hashes([source])
    assert finding.place == "consensus/snippet.py::Dag.key"


def test_named_hash_function_is_accepted() -> None:
    assert not list(purity.identity_hashes([Source.of("tagged.hash(block); identity(block)")]))


@pytest.mark.parametrize(
    "text",
    [
        "import time",
        "import random as dice",
        "from time import monotonic",
        "def late():\n    import asyncio.queues",
        "from consensus import driver",
        "import consensus.driver",
    ],
)
def test_world_import_is_reported(text: str) -> None:
    assert list(purity.world_imports([Source.of(text)]))


def test_import_from_the_own_room_is_accepted() -> None:
    assert not list(purity.world_imports([Source.of("from consensus.dag import Dag\nimport enum")]))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("consensus/dag.py", True),
        ("consensus/driver.py", False),
        ("primitives/__init__.py", True),
        ("fl/rules/score.py", True),
        ("fl/training/lora.py", False),
        ("node/vm/gas.py", True),
        ("node/app.py", False),
        ("devnet/simulator/kernel/clocks.py", False),
    ],
)
def test_pure_rooms_are_told_from_the_others(path: str, expected: bool) -> None:
    assert purity.is_pure(Source.of("", path=path)) is expected
