"""Contracts by name and address: their methods, their views in JSON, their events in pages."""

from collections.abc import AsyncIterator, Awaitable

import pytest
import pytest_asyncio

from node.execution.local_chain import key_named
from node.federation import calls
from node.ledger.contract import genesis_contract_address
from node.rpc.errors import BadRequestError, NodeAnswerError
from node.rpc.schemas import Json
from node.rpc.texts import account_text
from node.rpc.values import from_json, to_json
from node.vm import types
from node.vm.type_table import TypeTable
from node.vm.types import COMPOSITE_FIRST, Field, ListType, OptionType, RecordType, TypeIndex
from tests.chain.founded import address_of
from tests.rpc.stage import Stage, open_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALICE = account_text(address_of("alice"))
IDENTITY = genesis_contract_address("identity").hex()

LIST, OPTION, RECORD = (TypeIndex(COMPOSITE_FIRST + place) for place in range(3))
TABLE = TypeTable(
    (
        ListType(types.INT),
        OptionType(types.BYTES),
        RecordType("Pair", (Field("left", types.ADDRESS), Field("right", OPTION))),
    )
)


@pytest_asyncio.fixture(name="stage", scope="module", loop_scope="module")
async def _stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path_factory.mktemp("node")) as stage:
        for name in ("alice", "bob", "carol"):
            await stage.send(calls.register(name), sender=name)
        yield stage


async def refused(awaited: Awaitable[object]) -> NodeAnswerError:
    with pytest.raises(NodeAnswerError) as caught:
        await awaited
    return caught.value


async def test_contract_is_found_by_name_and_by_address(stage: Stage) -> None:
    contract = await stage.client.contract("identity")
    assert contract == await stage.client.contract(IDENTITY)
    assert (contract.name, contract.address) == ("Registrar", IDENTITY)
    roles = next(one for one in contract.methods if one.name == "roles_of")
    assert (roles.kind, roles.params, roles.result) == ("view", ("Address",), "List[Str]")
    assert (await refused(stage.client.contract("nobody"))).status == 404


async def test_view_takes_and_returns_json(stage: Stage) -> None:
    assert await stage.client.view("identity", "name_of", ALICE) == "alice"
    assert await stage.client.view("identity", "registered_at", ALICE) == "1"
    assert await stage.client.view("identity", "owner_of", "bob") == account_text(address_of("bob"))
    assert await stage.client.view("identity", "owner_of", "nobody") is None
    assert await stage.client.view("identity", "name_of", ALICE, height=0) == ""


@pytest.mark.parametrize(
    ("method", "args", "status", "code"),
    [
        ("nothing", (), 404, "not-found"),
        ("name_of", (), 400, "bad-request"),
        ("name_of", (ALICE, ALICE), 400, "bad-request"),
        ("name_of", (7,), 400, "bad-request"),
        ("name_of", ("nobody",), 400, "bad-request"),
        ("is_taken", (None,), 400, "bad-request"),
        ("register", ("x", "client", ""), 422, "not-a-view"),
        ("check_name", ("x",), 404, "not-found"),
        ("bad name", (), 400, "bad-request"),
    ],
)
async def test_other_questions_are_refused(
    stage: Stage, method: str, args: tuple[Json, ...], status: int, code: str
) -> None:
    error = await refused(stage.client.view("identity", method, *args))
    assert (error.status, error.answer_code) == (status, code)


async def test_view_of_no_contract_is_not_found(stage: Stage) -> None:
    assert (await refused(stage.client.view("nobody", "x"))).answer_code == "no-contract"


async def test_events_come_in_pages_with_their_fields(stage: Stage) -> None:
    first = await stage.client.events("identity", limit=2)
    assert [one.event.fields["name"] for one in first.events] == ["alice", "bob"]
    assert not first.is_complete
    rest = await stage.client.events("identity", after=first.events[-1])
    assert [one.event.fields["name"] for one in rest.events] == ["carol"]
    assert rest.is_complete
    assert rest.events[0].event.fields["who"] == account_text(address_of("carol"))
    one = await stage.client.events("identity", first_height=2, last_height=2)
    assert [placed.height for placed in one.events] == [2]


VALUES: list[tuple[TypeIndex, Json, Json]] = [
    (types.INT, "-5", -5),
    (types.INT, str(2**200), 2**200),
    (types.BOOL, True, True),
    (types.STR, "é", "é"),
    (types.BYTES, "00ff", b"\0\xff"),
    (types.UNIT, None, None),
    (types.ADDRESS, ALICE, key_named("alice").public.raw),
    (types.ADDRESS, "01" * 32, b"\1" * 32),
    (LIST, ["1", "2"], [1, 2]),
    (OPTION, None, None),
    (OPTION, "aa", b"\xaa"),
    (RECORD, {"left": ALICE, "right": None}, {"left": address_of("alice"), "right": None}),
]


@pytest.mark.parametrize(("index", "given", "value"), VALUES)
async def test_values_look_the_same_both_ways(index: TypeIndex, given: Json, value: Json) -> None:
    assert from_json(TABLE, index, given) == value
    assert to_json(TABLE, index, value) == given


WRONG: list[tuple[TypeIndex, tuple[Json, ...]]] = [
    (types.INT, ("", "x", "1.0", "--1", "9" * 101, 1.5, True, None, "\uff11")),
    (types.BOOL, (0, "true", None)),
    (types.BYTES, ("0", "AA", "0 0", 5, "zz")),
    (types.STR, (5, None, [])),
    (types.ADDRESS, ("", "did:key:x", 5, "did:key:z" + "1" * 200)),
    (types.UNIT, (0, "")),
    (types.FIXED, (True, 1.5, None)),
    (LIST, ({}, "12", [None], 5)),
    (RECORD, ([], {"left": ALICE}, {"left": 1, "right": None}, "")),
]


@pytest.mark.parametrize(
    ("index", "given"), [(index, given) for index, wrong in WRONG for given in wrong]
)
async def test_json_of_another_type_is_refused(index: TypeIndex, given: Json) -> None:
    with pytest.raises(BadRequestError):
        from_json(TABLE, index, given)
