"""The style rules that ruff cannot hold, over the whole tree.

Each check lives in tests/tidy/ beside tests that show it can fail. An exception is a row in
`EXCEPTIONS` with its reason; a row that no finding needs any more is an error too.
"""

import re
from collections.abc import Iterator

import pytest

from tests.tidy import hygiene, names, ordering, purity, shape
from tests.tidy.sources import ROOMS, ROOT, Finding, Source, project_paths, python_sources

# (check, place) -> why clarity wins over the rule here.
EXCEPTIONS: dict[tuple[str, str], str] = {
    ("large blob", "fl/training/tiny/model/model.safetensors"): (
        "the tiny model of demonstrations and tests; fl.training.tiny.build makes it again from "
        "its seed, but that takes minutes"
    ),
}

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.fixture(name="findings", scope="module")
def _findings() -> list[Finding]:
    return list(_all_findings())


def _all_findings() -> Iterator[Finding]:
    everything = python_sources()
    product = [source for source in everything if source.room in ROOMS]
    pure = [source for source in product if purity.is_pure(source)]
    paths = list(project_paths())
    yield from shape.long_files(everything)
    yield from shape.long_functions(everything)
    yield from shape.large_rooms(product)
    yield from shape.crowded_primitives(product)
    yield from names.empty_names(product)
    yield from hygiene.unbounded_queues(everything)
    yield from hygiene.unowned_todos(everything)
    yield from hygiene.unimported_files(everything, entry_points=MAKEFILE + PYPROJECT)
    yield from hygiene.large_blobs(paths)
    yield from hygiene.machine_paths(paths)
    yield from purity.real_numbers(pure)
    yield from purity.identity_hashes(pure)
    yield from purity.world_imports(pure)
    yield from ordering.set_walks(pure)


def _modules_that_make_starts() -> list[str]:
    return sorted(set(re.findall(r"python -m ((?:\w+\.)+\w+)", MAKEFILE)))


def _targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", MAKEFILE, flags=re.MULTILINE))


def test_tree_is_tidy(findings: list[Finding]) -> None:
    found = [
        str(finding) for finding in findings if (finding.check, finding.place) not in EXCEPTIONS
    ]
    assert not found, "\n" + "\n".join(found)


def test_every_exception_is_still_needed_and_has_a_reason(findings: list[Finding]) -> None:
    found = {(finding.check, finding.place) for finding in findings}
    assert EXCEPTIONS.keys() <= found
    assert all(EXCEPTIONS.values())


def test_checks_see_every_room() -> None:
    assert {source.room for source in python_sources()} == {*ROOMS, "tests"}


def test_every_pure_room_that_exists_is_read() -> None:
    pure = {source.room for source in python_sources() if purity.is_pure(source)}
    assert {"primitives", "consensus"} <= pure


@pytest.mark.parametrize("text", [README, (ROOT / ".ci" / "run").read_text(encoding="utf-8")])
def test_commands_that_are_promised_exist(text: str) -> None:
    promised = set(re.findall(r"(?:^|`|step )make ([a-z]+)", text, flags=re.MULTILINE))
    assert promised
    assert promised <= _targets()


@pytest.mark.parametrize("module", _modules_that_make_starts())
def test_module_that_make_starts_exists(module: str) -> None:
    path = ROOT.joinpath(*module.split("."))
    assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


def test_source_knows_its_module() -> None:
    assert Source.of("", path="fl/rules/__init__.py").module == "fl.rules"
    assert Source.of("", path="consensus/dag.py").module == "consensus.dag"
