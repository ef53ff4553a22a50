"""The document says what the server does: every route is walked, with nothing and with nonsense."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from node.rpc.client import NodeClient
from node.rpc.route import PLACEHOLDER, Access, Medium, NoBody, Route
from tests.chain.founded import genesis_file
from tests.rpc.stage import Stage, open_stage

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(name="stage", scope="module", loop_scope="module")
async def _stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path_factory.mktemp("node"), genesis=genesis_file()) as stage:
        yield stage


@pytest_asyncio.fixture(name="document", scope="module", loop_scope="module")
async def _document(stage: Stage) -> dict[str, Any]:
    return await stage.client.openapi()


def references(node: object) -> list[str]:
    match node:
        case dict():
            found = [node["$ref"]] if "$ref" in node else []
            return found + [one for value in node.values() for one in references(value)]
        case list():
            return [one for value in node for one in references(value)]
        case _:
            return []


async def test_document_has_every_route_and_no_other(
    stage: Stage, document: dict[str, Any]
) -> None:
    served = {(route.method.lower(), route.path) for route in stage.server.routes}
    described = {
        (method, path) for path, methods in document["paths"].items() for method in methods
    }
    assert described == served


async def test_every_operation_has_a_method_of_the_client(document: dict[str, Any]) -> None:
    names = {
        operation["operationId"]
        for methods in document["paths"].values()
        for operation in methods.values()
    }
    # Both ways of giving a blob are one method.
    assert names - {"post_blob"} <= set(dir(NodeClient))


async def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas


async def test_path_parameters_are_those_of_the_path(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            described = {
                one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"
            }
            assert described == set(PLACEHOLDER.findall(path))


async def test_what_is_not_public_says_so(stage: Stage, document: dict[str, Any]) -> None:
    for route in stage.server.routes:
        operation = document["paths"][route.path][route.method.lower()]
        assert ("security" in operation) == (route.access is not Access.PUBLIC)


async def ask(
    session: aiohttp.ClientSession, stage: Stage, route: Route, *, filler: str
) -> aiohttp.ClientResponse:
    url = stage.server.url + PLACEHOLDER.sub(filler, route.path)
    body = b"{}" if route.body is not NoBody else None
    headers = {} if body is None else {"Content-Type": "application/json"}
    async with session.request(route.method, url, data=body, headers=headers) as answer:
        await answer.read()
        return answer


@pytest.mark.parametrize("filler", ["0", "x", "%00", "%ff", "~" * 300])
async def test_every_route_answers_nonsense_with_a_status_that_it_names(
    stage: Stage, document: dict[str, Any], filler: str
) -> None:
    async with aiohttp.ClientSession() as session:
        for route in stage.server.routes:
            answer = await ask(session, stage, route, filler=filler)
            responses = document["paths"][route.path][route.method.lower()]["responses"]
            assert str(answer.status) in responses, route
            if answer.status >= 400:
                assert answer.content_type == Medium.JSON.value
                assert {"code", "message"} == set(await answer.json())
            assert answer.status != 500


async def test_path_that_nobody_serves_is_not_found(stage: Stage) -> None:
    async with aiohttp.ClientSession() as session:
        for path in ("/v1", "/v1/", "/explore", "//", "/v1/head/", "/v1//head", "/V1/head"):
            async with session.get(stage.server.url + path) as answer:
                assert answer.status == 404, path


async def test_other_methods_are_told_which_ones_there_are(stage: Stage) -> None:
    async with aiohttp.ClientSession() as session:
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD"):
            async with session.request(method, f"{stage.server.url}/v1/head") as answer:
                assert (answer.status, answer.headers["Allow"]) == (405, "GET")
