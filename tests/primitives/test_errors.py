import inspect
import re

import pytest

from primitives import errors
from primitives.errors import HanseError, PeerError, RemoteProtocolError

INDENT = 4
CLASSES = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if issubclass(value, HanseError)
]


def tree_in_docstring() -> set[tuple[str, str]]:
    ancestors = ["Exception"]
    edges = set()
    for line in inspect.getdoc(errors).splitlines():  # type: ignore[union-attr]  # it has one
        match = re.fullmatch(r"((?:    )+)(\w+)", line)
        if match is None:
            continue
        depth = len(match[1]) // INDENT
        ancestors[depth:] = [match[2]]
        edges.add((ancestors[depth - 1], match[2]))
    return edges


def test_the_docstring_is_the_class_tree() -> None:
    edges = {(parent.__name__, child.__name__) for child in CLASSES for parent in child.__bases__}
    assert tree_in_docstring() == edges


def test_every_class_of_the_module_is_below_the_root() -> None:
    defined_here = {
        value
        for _, value in inspect.getmembers(errors, inspect.isclass)
        if value.__module__ == errors.__name__
    }
    assert defined_here == set(CLASSES)


def test_every_code_is_the_name_of_its_class_and_its_own() -> None:
    for error_class in CLASSES:
        name = error_class.__name__.removesuffix("Error")
        assert "code" in vars(error_class)
        assert error_class.code == re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


@pytest.mark.parametrize("error_class", [PeerError, RemoteProtocolError])
def test_a_peer_error_carries_the_peer_to_blame(error_class: type[PeerError]) -> None:
    error = error_class("sent a block of another chain", peer="12D3Koo")
    assert error.peer == "12D3Koo"
    assert str(error) == "sent a block of another chain"
