"""Two parsers must never see two different requests in the same bytes.

A request for /health follows each row, which no reading of the bytes may reach: the server either
refuses the first request and hangs up, or takes all bytes as the first request's.
Source: the corpora of RFC 9112 section 11.2, Kettle 2019, and CVE-2025-43859, CVE-2025-69224.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.rpc.limits import RpcLimits
from tests.chain.founded import genesis_file
from tests.rpc.stage import Stage, open_stage
from tests.rpc.wire import exchange, statuses

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST = b"Host: localhost\r\n"
MARKER = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /v1/transactions HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(MARKER)
CHUNKED = b"Transfer-Encoding: chunked\r\n"
EMPTY_CHUNK = b"\r\n0\r\n\r\n"


@pytest_asyncio.fixture(name="stage", scope="module", loop_scope="module")
async def _stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    limits = RpcLimits(idle_ms=300, deadline_ms=300, rate_per_s=1_000_000, burst=1_000_000)
    folder = tmp_path_factory.mktemp("node")
    async with open_stage(folder, genesis=genesis_file(), limits=limits) as stage:
        yield stage


SMUGGLED = {
    "CL and TE": POST + LENGTH + CHUNKED + EMPTY_CHUNK,
    "TE and CL": POST + CHUNKED + LENGTH + EMPTY_CHUNK,
    "TE alone": POST + CHUNKED + EMPTY_CHUNK,
    "TE twice": POST + CHUNKED + CHUNKED + EMPTY_CHUNK,
    "TE identity": POST + b"Transfer-Encoding: identity\r\n" + LENGTH + b"\r\n",
    "TE gzip, chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n" + EMPTY_CHUNK,
    "TE chunked, identity": POST + b"Transfer-Encoding: chunked, identity\r\n" + EMPTY_CHUNK,
    "TE xchunked": POST + b"Transfer-Encoding: xchunked\r\n" + LENGTH + b"\r\n",
    "TE with tab": POST + b"Transfer-Encoding:\tchunked\r\n" + EMPTY_CHUNK,
    "TE with space before colon": POST + b"Transfer-Encoding : chunked\r\n" + EMPTY_CHUNK,
    "TE upper case": POST + b"TRANSFER-ENCODING: CHUNKED\r\n" + EMPTY_CHUNK,
    "TE quoted": POST + b'Transfer-Encoding: "chunked"\r\n' + LENGTH + b"\r\n",
    "TE vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n" + LENGTH + b"\r\n",
    "TE folded": POST + b"Transfer-Encoding:\r\n chunked\r\n" + EMPTY_CHUNK,
    "TE after a bare LF": POST + b"X: y\nTransfer-Encoding: chunked\r\n" + EMPTY_CHUNK,
    "TE after a bare CR": POST + b"X: y\rTransfer-Encoding: chunked\r\n" + LENGTH + b"\r\n",
    "CL twice, different": POST + LENGTH + b"Content-Length: 0\r\n\r\n",
    "CL twice, the same": POST + LENGTH + LENGTH + b"\r\n",
    "CL list": POST + b"Content-Length: 0, 0\r\n\r\n",
    "CL plus": POST + b"Content-Length: +0\r\n\r\n",
    "CL minus": POST + b"Content-Length: -1\r\n\r\n",
    "CL hex": POST + b"Content-Length: 0x0\r\n\r\n",
    "CL underscore": POST + b"Content-Length: 0_0\r\n\r\n",
    "CL unicode digits": POST + "Content-Length: \u0660\r\n\r\n".encode(),
    "CL fullwidth digits": POST + "Content-Length: \uff10\r\n\r\n".encode(),
    "CL empty": POST + b"Content-Length: \r\n\r\n",
    "CL space before colon": POST + b"Content-Length : 0\r\n\r\n",
    "CL huge": POST + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "CL folded": POST + b"Content-Length:\r\n 0\r\n\r\n",
    "CL on GET": b"GET /v1/head HTTP/1.1\r\n" + HOST + LENGTH + b"\r\n",
    "CL and a body that is shorter": POST + b"Content-Length: 10000\r\n\r\n",
    "bare LF ends the head": POST.replace(b"\r\n", b"\n") + b"\n",
    "bare LF in the head": POST + b"X: y\nContent-Length: 0\r\n\r\n",
    "obs-fold": POST + b"X: y\r\n Content-Length: 0\r\n\r\n",
    "NUL in a value": POST + b"X: a\0b\r\n" + LENGTH + b"\r\n",
    "NUL in a name": POST + b"X\0: a\r\n" + LENGTH + b"\r\n",
    "name with a space": POST + b"Content Length: 0\r\n\r\n",
    "line without a colon": POST + b"Content-Length\r\n\r\n",
    "space before the first name": b"POST /v1/transactions HTTP/1.1\r\n " + HOST + LENGTH + b"\r\n",
    "chunk extension": POST + CHUNKED + b"\r\n1;a=b\r\nx\r\n0\r\n\r\n",
    "chunk with bare LF": POST + CHUNKED + b"\r\n1\nx\n0\n\n",
    "chunk size hex prefix": POST + CHUNKED + b"\r\n0x1\r\nx\r\n0\r\n\r\n",
    "trailer": POST + CHUNKED + b"\r\n0\r\nContent-Length: 5\r\n\r\n",
    "HTTP/0.9": b"GET /v1/head\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.2": b"GET /v1/head HTTP/1.2\r\n\r\n",
    "no version number": b"GET /v1/head HTTP/x\r\n" + HOST + b"\r\n",
    "two spaces": b"GET  /v1/head HTTP/1.1\r\n\r\n",
    "tab for a space": b"GET\t/v1/head\tHTTP/1.1\r\n\r\n",
    "method with a colon": b"GE:T /v1/head HTTP/1.1\r\n\r\n",
    "CONNECT": b"CONNECT localhost:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "no Host": b"GET /v1/head HTTP/1.1\r\n\r\n",
    "Host twice": b"GET /v1/head HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "Host with a path": b"GET /v1/head HTTP/1.1\r\nHost: localhost/x\r\n\r\n",
    "Host with a user": b"GET /v1/head HTTP/1.1\r\nHost: a@localhost\r\n\r\n",
    "Host of another": b"GET /v1/head HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "declined h2c": POST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + CHUNKED + EMPTY_CHUNK,
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("name", SMUGGLED)
async def test_nothing_is_smuggled_behind(stage: Stage, name: str) -> None:
    answers = await exchange(stage.port, SMUGGLED[name] + MARKER)
    assert all(400 <= status < 500 for status in statuses(answers)), answers
    assert len(statuses(answers)) <= 1, answers


async def test_body_may_come_in_pieces(stage: Stage) -> None:
    body = b'{"raw":"AAAA"}'
    head = POST + b"Content-Length: %d\r\n\r\n" % len(body)
    pieces = [bytes((one,)) for one in head + body]
    assert statuses(await exchange(stage.port, *pieces)) == [422]


async def test_requests_may_follow_each_other(stage: Stage) -> None:
    request = b"GET /v1/head HTTP/1.1\r\n" + HOST + b"\r\n"
    assert statuses(await exchange(stage.port, request * 5)) == [200] * 5


async def test_answers_to_bytes_that_are_no_http_are_json(stage: Stage) -> None:
    answers = await exchange(stage.port, b"GET / HTTP/1.1\r\nX\r\n\r\n")
    head, _, body = answers.partition(b"\r\n\r\n")
    assert b"application/json" in head
    assert b'"code":"bad-http"' in body
    assert b"Traceback" not in body


async def test_client_that_expects_to_be_encouraged_is(stage: Stage) -> None:
    body = b'{"raw":"AAAA"}'
    head = POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert statuses(await exchange(stage.port, head, body, pause_s=0.02)) == [100, 422]


async def test_client_that_expects_something_else_is_told(stage: Stage) -> None:
    head = POST + b"Expect: tea\r\nContent-Length: 2\r\n\r\n{}"
    assert statuses(await exchange(stage.port, head)) == [417]


FRAGMENTS = st.sampled_from(
    [
        *(b"GET ", b"POST ", b"/v1/head", b"/v1/transactions", b" HTTP/1.1", b" HTTP/1.0"),
        *(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"Host: localhost", b"Content-Length: "),
        *(b"0", b"5", b"99", b"-1", b"Transfer-Encoding: chunked", b"Connection: close", b": "),
        *(b"Connection: Upgrade", b"Upgrade: websocket", b"\0", b"\xff", b"{}", b" ", b"\t"),
        *(b"Expect: 100-continue", b"Content-Type: application/json", b"Sec-WebSocket-Key: x"),
        b"Sec-WebSocket-Version: 13",
    ]
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(FRAGMENTS | st.binary(max_size=8), max_size=40).map(b"".join))
async def test_any_bytes_leave_the_server_alive(stage: Stage, raw: bytes) -> None:
    answers = await exchange(stage.port, raw + b"\r\n\r\n")
    assert not any(500 <= status < 600 for status in statuses(answers)), answers
    assert (await stage.client.health()).status == "ok"
