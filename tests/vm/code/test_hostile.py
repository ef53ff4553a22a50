"""Whatever bytes are deployed: they are a module that may run, or an error of the verifier."""

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from node.vm.disassembler import disassemble
from node.vm.module import MalformedModuleError, Module, decode_module, encode_module
from node.vm.opcodes import Op
from node.vm.rejection import InvalidModuleError
from node.vm.verified import VerifiedModule
from node.vm.verifier import load_module, verify
from tests.vm.code.effects import USES, Use
from tests.vm.code.listing import push, with_bytes, with_code

few = settings(deadline=None, max_examples=60, database=None)


def _as_text(use: Use) -> str:
    return "\n".join((*map(push, use.operands.split()), use.instruction))


GOOD = encode_module(with_code("\n".join(map(_as_text, USES[:20]))))
CODE = with_code("\n".join(use.instruction for use in USES)).functions[0].code


def _verdict(raw: bytes) -> VerifiedModule | None:
    try:
        return load_module(raw)
    except (MalformedModuleError, InvalidModuleError):
        return None


@st.composite
def _spoilt(draw: st.DrawFn, raw: bytes) -> bytes:
    """Draw the bytes with some replaced, cut out, doubled or put in."""
    spoilt = bytearray(raw)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(spoilt)))
        stop = min(len(spoilt), start + draw(st.integers(0, 4)))
        spoilt[start:stop] = draw(st.one_of(st.binary(max_size=4), st.just(raw[start:stop] * 2)))
    return bytes(spoilt)


@few
@given(st.binary(max_size=300))
@example(b"")
@example(b"\x98" * 5_000)
@example(b"\xc1")
def test_random_bytes_are_judged(raw: bytes) -> None:
    assert _verdict(raw) is None


@few
@given(_spoilt(GOOD))
def test_spoilt_module_is_judged(raw: bytes) -> None:
    verdict = _verdict(raw)
    assert verdict is None or encode_module(verdict.module) == raw


@few
@given(st.one_of(st.binary(max_size=200), _spoilt(CODE)))
def test_random_code_is_judged(code: bytes) -> None:
    module = with_bytes(code)
    verdict = _verdict(encode_module(module))
    assert verdict is None or verdict.module == module


@few
@given(st.lists(st.sampled_from([op.value for op in Op if op < Op.STAKE_OF]), max_size=60))
def test_random_opcodes_are_judged(code: list[int]) -> None:
    module = with_bytes(bytes(code))
    verdict = _verdict(encode_module(module))
    assert verdict is None or verdict.module == module


_SMALL = st.integers(0, 2**32 - 1) | st.integers(0, 40)
_FIELDS = st.lists(st.tuples(st.text(max_size=3), _SMALL).map(list), max_size=4)
_TYPES = st.one_of(
    st.tuples(st.sampled_from((1, 2)), _SMALL),
    st.tuples(st.just(3), st.text(max_size=3), _FIELDS),
    st.tuples(st.just(4), _SMALL, _SMALL),
)
_FUNCTIONS = st.tuples(
    st.text("abc", max_size=3),
    st.integers(0, 5),
    st.lists(_SMALL, max_size=4),
    _SMALL,
    st.lists(_SMALL, max_size=4),
    st.binary(max_size=20),
)
_MODULES = st.tuples(
    st.just(1),
    st.just("A"),
    st.lists(_TYPES, max_size=5),
    st.lists(st.tuples(_SMALL, st.binary(max_size=40)), max_size=3),
    _FIELDS,
    st.lists(st.tuples(st.text("ab", max_size=2), _FIELDS), max_size=3),
    st.lists(
        st.tuples(st.just("I"), st.text("ab"), st.integers(0, 5), st.lists(_SMALL), _SMALL),
        max_size=2,
    ),
    st.lists(_FUNCTIONS, max_size=3),
)


@few
@given(_MODULES)
def test_module_of_random_declarations_is_judged(parts: tuple[object, ...]) -> None:
    raw = msgspec.msgpack.encode(parts)
    module = msgspec.msgpack.decode(raw, type=Module)
    try:
        verified = verify(module)
    except InvalidModuleError:
        return
    assert verified.module == module


@few
@given(_spoilt(GOOD))
def test_disassembler_writes_or_refuses(raw: bytes) -> None:
    try:
        text = disassemble(decode_module(raw))
    except (MalformedModuleError, InvalidModuleError):
        return
    assert text.startswith("module ")
