import pytest

from node.vm.engine import Engine
from node.vm.limits import STORAGE_LIST_LENGTH_MAX, STORAGE_WRITES_PER_TRANSACTION_MAX
from node.vm.shapes import Value, encode_narrow
from node.vm.traps import Trap
from tests.vm.engines.lab import DEEP, module_of, run
from tests.vm.engines.memory_host import SENDER, MemoryHost

A = b"\xaa" * 32


def hosting(slots: dict[bytes, bytes]) -> MemoryHost:
    host = MemoryHost()
    host.slots.update(slots)
    return host


def test_absent_value_is_the_zero_value(engine: Engine) -> None:
    assert run(engine, module_of("LOAD 0 | RETURN")).result == 0
    assert run(engine, module_of("LOAD 4 | RETURN", result="t18")).result == (0, "")
    assert run(engine, module_of("SENDER | LOAD 1 | RETURN")).result == 0


def test_value_is_stored_in_the_slot_of_its_field_and_keys(engine: Engine) -> None:
    body = """
        INT 7 | STORE 0 | GET 0 | INT 300 | STORE 1 | INT 5 | GET 0 | INT -1 | STORE 5
        | CONST 2 | TRUE | STORE 9 | INT 9 | CONST 0 | RECORD t18 | STORE 4 | UNIT | RETURN
    """
    ending = run(engine, module_of(body, params="Address", result="Unit"), [A])
    assert ending.host.slots == {
        b"\x00": b"\x07",
        b"\x01" + A: b"\xcd\x01\x2c",
        b"\x05\x05" + A: b"\xff",
        b"\x09\xc4\x02\xab\xcd": b"\xc3",
        b"\x04": b"\x92\x09\xa2no",
    }


def test_stored_value_is_loaded_again(engine: Engine) -> None:
    body = "GET 0 | GET 1 | STORE 1 | GET 0 | LOAD 1 | RETURN"
    module = module_of(body, params="Address Int")
    for value in (0, -1, 2**64, -(2**255), 2**255 - 1):
        assert run(engine, module, [A, value]).result == value


def test_presence_is_not_the_value(engine: Engine) -> None:
    body = "SENDER | INT 0 | STORE 1 | SENDER | HAS 1 | RETURN"
    assert run(engine, module_of(body, result="Bool")).result is True
    body = "SENDER | INT 0 | STORE 1 | SENDER | REMOVE 1 | SENDER | HAS 1 | RETURN"
    ending = run(engine, module_of(body, result="Bool"))
    assert ending.result is False
    assert ending.host.slots == {}


def test_load_option_tells_absent_from_zero(engine: Engine) -> None:
    module = module_of("SENDER | LOAD_OPTION 1 t17 | RETURN", result="t17")
    assert run(engine, module).result is None
    host = hosting({b"\x01" + SENDER: b"\x00"})
    assert run(engine, module, host=host).result == (0,)


@pytest.mark.parametrize("length", [128, 129])
def test_key_may_be_as_long_as_keys_may_be(engine: Engine, length: int) -> None:
    module = module_of("GET 0 | HAS 9 | RETURN", params="Bytes", result="Bool")
    expected = False if length <= 128 else Trap.VALUE_SIZE
    assert run(engine, module, [bytes(length)]).result is expected
    texts = module_of("GET 0 | SLLEN 3 | RETURN", params="Str")
    assert run(engine, texts, ["n" * length]).result == (0 if length <= 128 else Trap.VALUE_SIZE)
    # The size of a text is that of its UTF-8.
    assert run(engine, texts, ["é" * (length - 64)]).result == (
        0 if length <= 128 else Trap.VALUE_SIZE
    )


def test_stored_list_is_read_and_written_by_item(engine: Engine) -> None:
    body = """
        INT 5 | SLAPPEND 2 | INT 6 | SLAPPEND 2 | INT 7 | SLAPPEND 2
        | INT 1 | INT 60 | SLSET 2 | SLPOP 2 | INT 1 | SLGET 2 | ADD | SLLEN 2 | ADD | RETURN
    """
    ending = run(engine, module_of(body))
    assert ending.result == 7 + 60 + 2
    assert ending.host.slots == {b"\x02": b"\x02", b"\x02\x00": b"\x05", b"\x02\x01": b"\x3c"}


def test_stored_list_is_loaded_whole_and_cleared(engine: Engine) -> None:
    host = hosting({b"\x02": b"\x02", b"\x02\x00": b"\x05", b"\x02\x01": b"\x3c"})
    ending = run(engine, module_of("SLLOAD 2 t16 | SLCLEAR 2 | RETURN", result="t16"), host=host)
    assert ending.result == (5, 60)
    assert ending.host.slots == {}
    assert run(engine, module_of("SLCLEAR 2 | SLLEN 2 | RETURN")).result == 0


def test_list_that_loses_its_last_item_leaves_no_slot(engine: Engine) -> None:
    body = "CONST 0 | INT 5 | SLAPPEND 3 | CONST 0 | SLPOP 3 | RETURN"
    ending = run(engine, module_of(body))
    assert ending.result == 5
    assert ending.host.slots == {}


@pytest.mark.parametrize(
    "body",
    [
        "INT 0 | SLGET 2 | RETURN",
        "INT -1 | SLGET 2 | RETURN",
        "SLPOP 2 | RETURN",
        "INT 0 | INT 1 | SLSET 2 | INT 0 | RETURN",
        "INT 5 | SLAPPEND 2 | INT 1 | SLGET 2 | RETURN",
    ],
)
def test_place_outside_a_stored_list_traps(engine: Engine, body: str) -> None:
    assert run(engine, module_of(body)).result is Trap.INDEX


@pytest.mark.parametrize(
    ("slots", "body"),
    [
        ({b"\x00": b"\xc3"}, "LOAD 0 | RETURN"),
        ({b"\x00": b"\xa1\xff"}, "LOAD 0 | RETURN"),
        ({b"\x00": b"\xc4\x01\x00"}, "LOAD 0 | RETURN"),
        ({b"\x02": b"\xc0"}, "SLLEN 2 | RETURN"),
        ({b"\x02": b"\x01"}, "INT 0 | SLGET 2 | RETURN"),
        ({b"\x02": b"\x01"}, "SLLOAD 2 t16 | LLEN | RETURN"),
    ],
)
def test_damaged_storage_traps(engine: Engine, slots: dict[bytes, bytes], body: str) -> None:
    ending = run(engine, module_of(body), host=hosting(slots))
    assert ending.result is Trap.ENCODING


def test_longest_stored_list_takes_no_more(engine: Engine) -> None:
    host = hosting({b"\x02": encode_narrow(STORAGE_LIST_LENGTH_MAX)})
    module = module_of("INT 1 | SLAPPEND 2 | INT 0 | RETURN")
    assert run(engine, module, host=host).result is Trap.VALUE_SIZE


def test_stored_list_longer_than_a_value_is_not_loaded(engine: Engine) -> None:
    host = hosting({b"\x02": encode_narrow(4097)})
    module = module_of("SLLOAD 2 t16 | LLEN | RETURN")
    assert run(engine, module, host=host, gas=10**8).result is Trap.VALUE_SIZE


def test_clearing_a_giant_list_is_charged_before_it_is_tried(engine: Engine) -> None:
    host = hosting({b"\x02": encode_narrow(STORAGE_LIST_LENGTH_MAX)})
    ending = run(engine, module_of("SLCLEAR 2 | INT 0 | RETURN"), host=host, gas=10**9)
    assert ending.result is Trap.OUT_OF_GAS
    assert ending.gas == 0


def test_writes_of_a_transaction_are_bounded(engine: Engine) -> None:
    module = module_of("LOOP | INT 1 | STORE 0 | REPEAT")
    ending = run(engine, module, gas=10**8)
    assert ending.result is Trap.WRITE_LIMIT
    assert ending.meter.writes == 0
    assert STORAGE_WRITES_PER_TRANSACTION_MAX > 0


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (DEEP, Trap.VALUE_SIZE),
        ((((1,) * 20, (2,) * 20), ((3,),)), 0),
    ],
)
def test_value_is_stored_only_as_long_as_values_may_be(
    engine: Engine, value: Value, expected: int | Trap
) -> None:
    module = module_of("GET 0 | SLAPPEND 7 | INT 0 | RETURN", params="t22")
    assert run(engine, module, [value], gas=10**7).result == expected


def test_longer_values_cost_more_to_load_and_store(engine: Engine) -> None:
    store = module_of("GET 0 | STORE 8 | INT 0 | RETURN", params="Str")
    load = module_of("LOAD 8 | LEN | RETURN")
    short, long = run(engine, store, ["a"]), run(engine, store, ["a" * 1_000])
    assert long.gas_used > short.gas_used + 900
    assert run(engine, load, host=long.host).gas_used > run(engine, load, host=short.host).gas_used


def test_trap_while_encoding_takes_the_gas_of_the_longest_value(engine: Engine) -> None:
    module = module_of("GET 0 | STORE 8 | INT 0 | RETURN", params="Str")
    ending = run(engine, module, ["a" * 65_536])
    assert ending.result is Trap.VALUE_SIZE
    assert ending.gas_used > 65_536
    assert run(engine, module, ["a" * 65_536], gas=60_000).result is Trap.OUT_OF_GAS


@pytest.mark.parametrize(("body", "weight"), [("HAS 8", 1), ("HAS 4", 4)])
def test_presence_costs_what_the_value_takes_to_read(
    engine: Engine, body: str, weight: int
) -> None:
    module = module_of(f"{body} | RETURN", result="Bool")
    slot = bytes([int(body.split()[1])])
    none, long = (run(engine, module, host=hosting(slots)) for slots in ({}, {slot: bytes(1_000)}))
    assert (none.result, long.result) == (False, True)
    assert long.gas_used - none.gas_used == weight * 500
    poor = run(engine, module, host=hosting({slot: bytes(60_000)}), gas=20_000)
    assert poor.result is Trap.OUT_OF_GAS
