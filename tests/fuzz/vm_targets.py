"""What is fuzzed of the VM: modules on both engines, and the compiler of the contract language.

Most bytes are no module and no contract, so they also choose a generated program and a changed
contract: the dice of these are seeded with the digest of the bytes.
"""

import random
import time
from pathlib import Path
from typing import Final

from node.vm.lang.compiler import compile_contract
from node.vm.lang.errors import ContractError, Problem
from node.vm.module import MalformedModuleError, Module, encode_module
from node.vm.rejection import InvalidModuleError
from node.vm.verified import VerifiedModule
from node.vm.verifier import load_module, verify
from primitives.hashing import sha256
from tests.fuzz.source_mutation import change_source
from tests.fuzz.target import Target
from tests.fuzz.vm_mutation import change_module
from tests.fuzz.vm_programs import compare_engines
from tests.vm.generator import generate, random_slots
from tests.vm.lang.generated import Writer

ROOT: Final = Path(__file__).parents[2]
SEEDS: Final = 2
CHANGED_PROGRAMS: Final = 3
CHANGED_SOURCES: Final = 4
SOURCE_BYTES_MAX: Final = 65_536
COMPILE_SECONDS_MIN: Final = 2.0
COMPILE_SECONDS_PER_CHARACTER: Final = 5e-4
"""Generous: coverage slows everything down, and so do other processes."""


def _dice(raw: bytes) -> random.Random:
    return random.Random(sha256(raw))


def _run_vm(raw: bytes) -> None:
    """Run the module that the bytes are, if any; then a random program, and changes of it."""
    dice = _dice(raw)
    module = _verified(raw)
    if module is not None:
        compare_engines(module, dice, slots=random_slots(dice.getrandbits(64)))
    seed = dice.getrandbits(64)
    program, slots = generate(seed).module, random_slots(seed)
    compare_engines(program, dice, slots=slots)
    for _ in range(CHANGED_PROGRAMS):
        changed = _verified(change_module(program.module, dice))
        if changed is not None:
            compare_engines(changed, dice, slots=slots)


def _verified(candidate: bytes | Module) -> VerifiedModule | None:
    try:
        return load_module(candidate) if isinstance(candidate, bytes) else verify(candidate)
    except (MalformedModuleError, InvalidModuleError):
        return None


def _run_source(raw: bytes) -> None:
    """Compile the text that the bytes are; then a random contract, and changes of real ones."""
    dice = _dice(raw)
    _compile(Writer(dice).source(), dice)
    _compile(raw.decode("utf-8", errors="replace"), dice)
    _compile(raw.decode("utf-8", errors="surrogateescape"), dice)
    for _ in range(CHANGED_SOURCES):
        _compile(change_source(dice.choice(SOURCES), dice, sources=SOURCES), dice)


def _compile(text: str, dice: random.Random) -> None:
    """Check that a text becomes a module that both engines agree on, or problems with places."""
    began = time.process_time()
    module: Module | None = None
    problems: tuple[Problem, ...] = ()
    try:
        module = compile_contract(text, filename="fuzzed.contract")
    except ContractError as error:
        problems = error.problems
    seconds = time.process_time() - began
    assert seconds <= COMPILE_SECONDS_MIN + COMPILE_SECONDS_PER_CHARACTER * len(text), seconds
    assert (module is None) == bool(problems)
    for problem in problems:
        lines = text.count("\n") + text.count("\r") + 2
        assert 1 <= problem.line <= lines, str(problem)
        assert problem.column >= 1, str(problem)
        assert problem.message, str(problem)
    if module is not None:
        compare_engines(load_module(encode_module(module)), dice, slots={})


def _sources() -> tuple[str, ...]:
    folders = ("tests/vm/lang/samples", "node/contracts", "benchmarks/contracts")
    paths = [path for folder in folders for path in sorted((ROOT / folder).glob("*.contract"))]
    return tuple(path.read_text(encoding="utf-8") for path in paths)


SOURCES: Final = _sources()


def _module_seeds() -> tuple[bytes, ...]:
    generated = [generate(seed).module.module for seed in range(SEEDS)]
    compiled = [compile_contract(source, filename="seed") for source in SOURCES[:SEEDS]]
    return tuple(map(encode_module, (*compiled, *generated)))


def _source_seeds() -> tuple[bytes, ...]:
    return tuple(source.encode() for source in SOURCES[:SEEDS])


VM_TARGETS: Final = (
    Target("vm", _run_vm, (), _module_seeds()),
    Target("contract-source", _run_source, (), _source_seeds()),
)
