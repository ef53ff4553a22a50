"""Getting a module ready before its first call, and threads that share an engine."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from node.vm.assembler import assemble
from node.vm.engine import Engine, FastTier, Interpreter, Translation
from node.vm.shelf import SHELF_MODULES_MAX, Shelf
from node.vm.verified import VerifiedModule
from node.vm.verifier import verify

THREADS = 6


def module(number: int) -> VerifiedModule:
    listing = f"module M{number} 1\nfunction f external () Int\nINT {number}\nRETURN\n"
    return verify(assemble(listing))


@contextmanager
def impatient() -> Iterator[None]:
    """Let threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)


def at_once(work: Callable[[], object]) -> list[object]:
    with impatient(), ThreadPoolExecutor(THREADS) as threads:
        return [future.result() for future in [threads.submit(work) for _ in range(THREADS)]]


@pytest.mark.parametrize(
    "engine",
    [Interpreter(), FastTier(), FastTier(translation=Translation.ON_CALL)],
    ids=["interpreter", "on-load", "on-call"],
)
def test_preparing_twice_changes_nothing(engine: Engine) -> None:
    one = module(1)
    engine.prepare(one)
    linked = engine.link(one)
    engine.prepare(one)
    assert engine.link(one) is linked


def test_threads_find_one_and_the_same_thing_on_a_shelf() -> None:
    modules = [module(number) for number in range(8)]
    shelf = Shelf(lambda made_of: [made_of])

    def take_all() -> list[int]:
        return [id(shelf.take(one)) for _ in range(50) for one in modules][-8:]

    found = at_once(take_all)
    assert all(one == found[0] for one in found)
    assert shelf.size_bytes == sum(len(one.module.functions[0].code) for one in modules)


def test_a_shelf_that_threads_overfill_stays_within_its_bounds() -> None:
    one = module(1)
    size_bytes = len(one.module.functions[0].code)
    modules = [module(1) for _ in range(SHELF_MODULES_MAX + 20)]
    shelf = Shelf(lambda made_of: (made_of,))

    def take_all() -> bool:
        return all(shelf.take(one) == (one,) for _ in range(2) for one in modules)

    assert all(at_once(take_all))
    assert shelf.size_bytes == SHELF_MODULES_MAX * size_bytes
