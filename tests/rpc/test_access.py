"""Who may do what: each route with no token, with wrong ones, and with those of each role."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from node.execution.local_chain import key_named
from node.federation import calls
from node.rpc.client import NodeClient
from node.rpc.jwt import write_token
from node.rpc.route import PLACEHOLDER, Access
from primitives.hashing import Domain
from primitives.ids import ChainId
from primitives.keys import PrivateKey
from tests.chain.founded import address_of
from tests.rpc.stage import OPERATOR, Stage, open_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGE = "https://explorer.example.org"
PHONE = key_named("alice's phone")


async def add_key(stage: Stage, key: PrivateKey) -> None:
    """Have a key registered for Alice."""
    message = stage.chain.chain_id + calls.IDENTITY + b"hanse identity key" + address_of("alice")
    signature = key.sign(Domain.CONTRACT_MESSAGE, message)
    await stage.send(calls.add_key(key.public.raw, signature=signature), sender="alice")


@pytest_asyncio.fixture(name="stage", scope="module", loop_scope="module")
async def _stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path_factory.mktemp("node"), origins=(PAGE,)) as stage:
        await stage.send(calls.register("alice", role="agent"), sender="alice")
        await add_key(stage, PHONE)
        yield stage


def tokens(stage: Stage) -> dict[str, str]:
    now_ms, chain_id = stage.clock.wall_ms(), stage.chain.chain_id
    alice, operator = key_named("alice"), key_named(OPERATOR)
    long_ago = now_ms - 3_600_000
    return {
        "nonsense": "a.b.c",
        "expired": write_token(operator, chain_id=chain_id, now_ms=long_ago),
        "other chain": write_token(operator, chain_id=ChainId(bytes(32)), now_ms=now_ms),
        "stolen name": write_token(
            alice, chain_id=chain_id, now_ms=now_ms, subject=operator.public
        ),
        "no role": stage.token("bob"),
        "member": stage.token("alice"),
        "member's key": write_token(PHONE, chain_id=chain_id, now_ms=now_ms, subject=alice.public),
        "other validator": stage.token("validator-1"),
        "operator": stage.token(),
    }


async def status_of(stage: Stage, method: str, path: str, *, headers: dict[str, str]) -> int:
    url = stage.server.url + PLACEHOLDER.sub("x", path)
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, headers=headers) as answer,
    ):
        return answer.status


ALLOWED = {
    Access.MEMBER: {"member", "member's key", "other validator", "operator"},
    Access.OPERATOR: {"operator"},
}
UNKNOWN = {"nonsense", "expired", "other chain", "stolen name"}


async def test_every_route_that_is_not_public_is_closed_to_others(stage: Stage) -> None:
    guarded = [route for route in stage.server.routes if route.access is not Access.PUBLIC]
    assert len(guarded) >= 6
    for route in guarded:
        if route.name == "shutdown":
            continue
        path = PLACEHOLDER.sub("x" * 40, route.path) if route.path_names else route.path
        if "root" in route.path_names:
            path = route.path.format(task=0, round=0, root="00" * 32)
        if "cid" in route.path_names:
            path = route.path.replace("{cid}", "b" + "a" * 58)
        assert await status_of(stage, route.method, path, headers={}) == 401
        for name, token in tokens(stage).items():
            headers = {"Authorization": f"Bearer {token}"}
            status = await status_of(stage, route.method, path, headers=headers)
            place = (route.name, name)
            if name in UNKNOWN:
                assert status == 401, place
            elif name in ALLOWED[route.access]:
                assert status not in (401, 403), place
            else:
                assert status == 403, place


async def test_revoked_key_opens_nothing_any_more(stage: Stage) -> None:
    other = key_named("alice's tablet")
    await add_key(stage, other)

    def token() -> str:
        return write_token(
            other,
            chain_id=stage.chain.chain_id,
            now_ms=stage.clock.wall_ms(),
            subject=key_named("alice").public,
        )

    headers = {"Authorization": f"Bearer {token()}"}
    assert await status_of(stage, "POST", "/v1/blobs", headers=headers) == 200
    await stage.send(calls.revoke_key(other.public.raw), sender="alice")
    headers = {"Authorization": f"Bearer {token()}"}
    assert await status_of(stage, "POST", "/v1/blobs", headers=headers) == 401


@pytest.mark.parametrize("scheme", ["bearer ", "Basic ", "Token ", "", "Bearer  "])
async def test_other_schemes_are_refused(stage: Stage, scheme: str) -> None:
    headers = {"Authorization": scheme + stage.token()}
    assert await status_of(stage, "GET", "/v1/logs", headers=headers) == 401


async def test_bad_token_does_not_keep_anybody_from_what_is_public(stage: Stage) -> None:
    async with NodeClient(stage.server.url, token=lambda: "nonsense") as client:
        assert (await client.head()).height >= 2


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:1234", 200),
        ("127.0.0.1:80", 200),
        ("[::1]", 200),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.", 421),
        ("localhost:80:80", 400),
        ("", 400),
    ],
)
async def test_only_names_of_this_node_are_answered(stage: Stage, host: str, status: int) -> None:
    assert await status_of(stage, "GET", "/health", headers={"Host": host}) == status


async def test_foreign_page_may_change_nothing(stage: Stage) -> None:
    for origin in ("https://evil.example", "null"):
        headers = {"Origin": origin, "Authorization": f"Bearer {stage.token()}"}
        assert await status_of(stage, "POST", "/v1/admin/shutdown", headers=headers) == 403
    assert stage.shutdowns == []


async def test_only_listed_pages_may_read(stage: Stage) -> None:
    async with aiohttp.ClientSession() as session:
        for origin, allowed in ((PAGE, PAGE), ("https://evil.example", None)):
            url, headers = f"{stage.server.url}/v1/head", {"Origin": origin}
            async with session.get(url, headers=headers) as answer:
                assert answer.headers.get("Access-Control-Allow-Origin") == allowed
            async with session.options(url, headers=headers) as answer:
                assert answer.status == (204 if allowed else 405)


async def test_operator_alone_ends_the_node(stage: Stage) -> None:
    async with stage.client_of("validator-1") as client:
        with pytest.raises(Exception, match="only the operator"):
            await client.shutdown()
    assert stage.shutdowns == []
    async with stage.client_of() as client:
        assert (await client.shutdown()).done
    assert stage.shutdowns == [True]
