"""A typed client of a node's API: one method for each route, answers as the structs of the server.

    async with NodeClient("http://127.0.0.1:26657") as node:
        head = await node.head()

Nothing is repeated here but reads, and only while the node is not reachable: a transaction may be
submitted twice without harm, but whoever submits decides that.
"""

import asyncio
import io
import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self, TypeAlias, TypeVar

import aiohttp
import msgspec

from node.blobs.manifest import BLOB_SIZE_BYTES_MAX
from node.ledger.transaction import (
    SIGNED_TRANSACTION_CODEC,
    SignedTransaction,
    transaction_id,
)
from node.rpc import (
    dag_schemas,
    judgement_schemas,
    participant_schemas,
    round_schemas,
    schemas,
    stake_schemas,
)
from node.rpc.client_answers import bounded, decoded, refusal, said
from node.rpc.client_stream import NodeStream
from node.rpc.errors import NodeAnswerError, NodeUnreachableError
from node.rpc.schemas import Json
from node.rpc.texts import base64_text
from primitives.ids import Digest

DEADLINE_S: Final = 15.0
TRANSFER_DEADLINE_S: Final = 600.0
PIECE_BYTES: Final = 256 << 10
MESSAGE_BYTES_MAX: Final = 8 << 20
HEARTBEAT_S: Final = 20.0
OCTETS: Final = "application/octet-stream"
FIRST_PAUSE_S: Final = 0.02
PAUSE_S_MAX: Final = 0.25

Answer = TypeVar("Answer")
Token: TypeAlias = Callable[[], str]
"""Returns a token that is valid now; asked before each request."""


class NodeClient:
    """The API of one node; an async context manager.

    Args:
        url: as http://127.0.0.1:26657.
        token: makes tokens, for what is not public.
    """

    def __init__(self, url: str, *, token: Token | None = None) -> None:
        self.url: Final = url.rstrip("/")
        self._token = token
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Be ready to ask; no connection is made before the first question."""
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=DEADLINE_S),
            connector=aiohttp.TCPConnector(limit=32),
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    # The node.

    async def health(self) -> schemas.Health:
        """Return that the node answers."""
        return await self._get("/health", schemas.Health)

    async def ready(self) -> schemas.Health:
        """Return once asked that the node is near the newest certificate; 503 if it is not."""
        return await self._get("/ready", schemas.Health)

    async def status(self) -> schemas.Status:
        """Return what kind of node this is and how it is doing."""
        return await self._get("/v1/status", schemas.Status)

    async def peers(self) -> schemas.Peers:
        """Return the connected peers."""
        return await self._get("/v1/peers", schemas.Peers)

    async def duties(self) -> schemas.Duties:
        """Return what the node does for training."""
        return await self._get("/v1/duties", schemas.Duties)

    async def metrics(self) -> str:
        """Return what the node counts, as Prometheus reads it."""
        return (await self._bytes("GET", "/metrics")).decode()

    async def openapi(self) -> dict[str, Any]:
        """Return the document of the API."""
        return await self._get("/openapi.json", dict[str, Any])

    # The chain.

    async def head(self) -> schemas.Head:
        """Return where the chain is."""
        return await self._get("/v1/head", schemas.Head)

    async def commit(self, height: int) -> schemas.Commit:
        """Return one commit with its receipts."""
        return await self._get(f"/v1/commits/{height}", schemas.Commit)

    async def commits(self, *, before: int | None = None, limit: int = 25) -> dag_schemas.Commits:
        """Return commits below a height or from the head on, the newest first."""
        return await self._get("/v1/commits", dag_schemas.Commits, before=before, limit=limit)

    async def dag(self, *, rounds: int = 30) -> dag_schemas.Dag:
        """Return the last rounds of the DAG."""
        return await self._get("/v1/dag", dag_schemas.Dag, rounds=rounds)

    async def certificate(self, number: int) -> schemas.Certificate:
        """Return the certificate of a checkpoint."""
        return await self._get(f"/v1/checkpoints/{number}", schemas.Certificate)

    async def newest_certificate(self) -> schemas.Certificate:
        """Return the newest certificate."""
        return await self._get("/v1/checkpoints/latest", schemas.Certificate)

    async def validators(self) -> schemas.Validators:
        """Return all validators with their seats."""
        return await self._get("/v1/validators", schemas.Validators)

    async def account(self, address: str, *, height: int | None = None) -> schemas.Account:
        """Return what an address holds, now or at a height."""
        return await self._get(f"/v1/accounts/{address}", schemas.Account, height=height)

    async def fees(self) -> stake_schemas.Fees:
        """Return what gas costs now."""
        return await self._get("/v1/fees", stake_schemas.Fees)

    async def holdings(self, address: str) -> stake_schemas.Holdings:
        """Return what an account has staked, and where."""
        return await self._get(f"/v1/accounts/{address}/holdings", stake_schemas.Holdings)

    # Transactions.

    async def submit(self, signed: SignedTransaction) -> Digest:
        """Put a transaction into the node's mempool; return its id."""
        body = schemas.SubmitRequest(raw=base64_text(SIGNED_TRANSACTION_CODEC.encode(signed)))
        await self._post("/v1/transactions", body, schemas.Submitted)
        return transaction_id(signed.transaction)

    async def submit_many(
        self, signed: Iterable[SignedTransaction]
    ) -> tuple[schemas.SubmitOutcome, ...]:
        """Put several transactions into the mempool in this order, at most 256."""
        raws = tuple(base64_text(SIGNED_TRANSACTION_CODEC.encode(one)) for one in signed)
        answer = await self._post(
            "/v1/transactions/batch", schemas.SubmitManyRequest(raws=raws), schemas.SubmittedMany
        )
        return answer.outcomes

    async def transaction(self, name: Digest) -> schemas.TransactionState:
        """Return what became of a transaction; 404 while no commit has it."""
        return await self._get(f"/v1/transactions/{name.hex()}", schemas.TransactionState)

    async def wait_receipt(self, name: Digest, *, timeout_s: float) -> schemas.Receipt:
        """Return the receipt of a transaction once a commit has it.

        Raises:
            TimeoutError: none had it in time.
        """
        pause_s = FIRST_PAUSE_S
        async with asyncio.timeout(timeout_s):
            while True:
                try:
                    return (await self.transaction(name)).receipt
                except NodeAnswerError as error:
                    if error.status != 404:
                        raise
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, PAUSE_S_MAX)

    # Proofs.

    async def prove_receipt(self, name: Digest) -> schemas.Proof:
        """Return the proof of what became of a transaction."""
        return await self._get(f"/v1/proofs/receipts/{name.hex()}", schemas.Proof)

    async def prove_account(self, address: str) -> schemas.Proof:
        """Return the proof of what an account holds."""
        return await self._get(f"/v1/proofs/accounts/{address}", schemas.Proof)

    async def prove_slot(self, contract: str, slot: bytes) -> schemas.Proof:
        """Return the proof of what a slot of a contract holds."""
        return await self._get(f"/v1/proofs/slots/{contract}/{slot.hex()}", schemas.Proof)

    async def chain_file(self, *, after_epoch: int = 0) -> bytes:
        """Return certificates that lead a light client to the newest one."""
        return await self._bytes("GET", f"/v1/light/chain?after_epoch={after_epoch}")

    async def genesis_file(self) -> bytes:
        """Return the genesis file."""
        return await self._bytes("GET", "/v1/genesis")

    # Contracts.

    async def contract(self, contract: str) -> schemas.Contract:
        """Return what a contract is, by address or by its name in the genesis file."""
        return await self._get(f"/v1/contracts/{contract}", schemas.Contract)

    async def view(
        self, contract: str, method: str, *args: Json, height: int | None = None
    ) -> Json:
        """Return what a view of a contract answers."""
        body = schemas.ViewRequest(method=method, args=args, height=height)
        path = f"/v1/contracts/{contract}/view"
        return (await self._post(path, body, schemas.ViewAnswer)).result

    async def events(
        self,
        contract: str,
        *,
        first_height: int = 0,
        last_height: int | None = None,
        limit: int = 100,
        after: schemas.PlacedEvent | None = None,
    ) -> schemas.Events:
        """Return events of a contract, those after one if it is given."""
        return await self._get(
            f"/v1/contracts/{contract}/events",
            schemas.Events,
            first_height=first_height,
            last_height=last_height,
            limit=limit,
            after_height=None if after is None else after.height,
            after_receipt=None if after is None else after.receipt_index,
            after_event=None if after is None else after.event_index,
        )

    # Training.

    async def tasks(self, *, first: int = 0, limit: int = 20) -> round_schemas.Tasks:
        """Return a page of tasks."""
        return await self._get("/v1/tasks", round_schemas.Tasks, first=first, limit=limit)

    async def task(self, task: int) -> round_schemas.Task:
        """Return one task."""
        return await self._get(f"/v1/tasks/{task}", round_schemas.Task)

    async def running_round(self, task: int) -> round_schemas.Round | None:
        """Return the round that runs, None between two."""
        path = f"/v1/tasks/{task}/round"
        return (await self._get(path, round_schemas.RunningRound)).round

    async def judgement(self, task: int, round_number: int) -> judgement_schemas.Judgement:
        """Return why a round ended as it did."""
        path = f"/v1/tasks/{task}/rounds/{round_number}/judgement"
        return await self._get(path, judgement_schemas.Judgement)

    async def participants(
        self, *, after: str | None = None, limit: int = 50
    ) -> participant_schemas.Participants:
        """Return everybody who takes part, by address."""
        return await self._get(
            "/v1/participants", participant_schemas.Participants, after=after, limit=limit
        )

    async def participant(self, address: str) -> participant_schemas.Participant:
        """Return one participant."""
        return await self._get(f"/v1/participants/{address}", participant_schemas.Participant)

    async def participant_history(
        self, address: str, *, task: int
    ) -> participant_schemas.PartHistory:
        """Return what a participant did in a task, round by round."""
        path = f"/v1/participants/{address}/history"
        return await self._get(path, participant_schemas.PartHistory, task=task)

    async def search(self, q: str) -> tuple[participant_schemas.Hit, ...]:
        """Return what a text may name."""
        return (await self._get("/v1/search", participant_schemas.Hits, q=q)).hits

    async def versions(
        self, task: int, *, before: int | None = None, limit: int = 25
    ) -> judgement_schemas.Versions:
        """Return versions of a model, the newest first."""
        path = f"/v1/models/{task}"
        return await self._get(path, judgement_schemas.Versions, before=before, limit=limit)

    async def round_history(self, task: int, number: int) -> round_schemas.RoundHistory:
        """Return what became of a round."""
        path = f"/v1/tasks/{task}/rounds/{number}"
        return await self._get(path, round_schemas.RoundHistory)

    async def standing(self, task: int, address: str) -> round_schemas.Standing:
        """Return what a task remembers of an account and owes it."""
        path = f"/v1/tasks/{task}/standings/{address}"
        return await self._get(path, round_schemas.Standing)

    async def model(self, task: int, version: int) -> round_schemas.Model:
        """Return one version of a model."""
        return await self._get(f"/v1/models/{task}/{version}", round_schemas.Model)

    async def model_blobs(self, task: int, version: int) -> schemas.Gathered:
        """Have the node fetch what a version was made of; return what is there then."""
        path = f"/v1/models/{task}/{version}/blobs"
        async with self._asked("GET", path, deadline_s=TRANSFER_DEADLINE_S) as answer:
            return decoded(await bounded(answer), schemas.Gathered)

    async def identity(self, address: str) -> round_schemas.Identity:
        """Return who an account is."""
        return await self._get(f"/v1/identities/{address}", round_schemas.Identity)

    # Blobs.

    async def blob_stat(self, cid: str) -> schemas.BlobStat:
        """Return what is known of a public blob, by CID or 32-byte id in hex."""
        return await self._get(f"/v1/blobs/{cid}/stat", schemas.BlobStat)

    async def blob(self, cid: str) -> bytes:
        """Return a whole blob; for long ones use `save_blob`."""
        return await self._bytes("GET", f"/v1/blobs/{cid}")

    async def save_blob(self, cid: str, path: Path) -> int:
        """Write a blob to a new file as it comes; return its size. Verify it against its id.

        Raises:
            OSError: the file cannot be opened or written.
        """
        async with self._asked("GET", f"/v1/blobs/{cid}", deadline_s=TRANSFER_DEADLINE_S) as answer:
            size_bytes = 0
            with path.open("xb") as file:
                async for piece in answer.content.iter_chunked(PIECE_BYTES):
                    size_bytes += len(piece)
                    if size_bytes > BLOB_SIZE_BYTES_MAX:
                        raise NodeUnreachableError(f"the blob is over {BLOB_SIZE_BYTES_MAX} bytes")
                    await asyncio.to_thread(file.write, piece)
        return size_bytes

    async def offer_update(
        self, task: int, round_number: int, *, root: bytes, envelope: bytes
    ) -> schemas.BlobStat:
        """Have the node give a sealed update to validators; with the operator's token."""
        path = f"/v1/tasks/{task}/rounds/{round_number}/updates/{root.hex()}"
        return await self._upload("POST", path, io.BytesIO(envelope))

    async def put_blob(self, content: bytes | Path, *, cid: str | None = None) -> schemas.BlobStat:
        """Give the node a blob, with the id that it must have or to be told its id; with a token.

        Args:
            content: the bytes, or a file of them.
            cid: the whole CID; the node refuses other content.
        """
        path = "/v1/blobs" if cid is None else f"/v1/blobs/{cid}"
        method = "POST" if cid is None else "PUT"
        if isinstance(content, bytes):
            return await self._upload(method, path, io.BytesIO(content))
        with content.open("rb") as file:
            return await self._upload(method, path, file)

    # The operator.

    async def logs(self, *, limit: int = 100) -> Sequence[schemas.LogLine]:
        """Return the newest lines of the log; for the operator."""
        answer = await self._get("/v1/logs", schemas.LogTail, limit=limit)
        return answer.lines

    async def duty_report(self) -> schemas.DutyReport:
        """Return the duties with the times of the last rounds; for the operator."""
        return await self._get("/v1/admin/duties", schemas.DutyReport)

    async def ban(self, peer_id: str, *, duration_ms: int = 3_600_000) -> schemas.Done:
        """Cut a peer off for a while; for the operator."""
        body = schemas.BanRequest(duration_ms=duration_ms)
        return await self._post(f"/v1/admin/peers/{peer_id}/ban", body, schemas.Done)

    async def unban(self, peer_id: str) -> schemas.Done:
        """Let a peer in again; for the operator."""
        path = f"/v1/admin/peers/{peer_id}/ban"
        raw = await self._bytes("DELETE", path)
        return decoded(raw, schemas.Done)

    async def shutdown(self) -> schemas.Done:
        """Ask the node to end; for the operator."""
        raw = await self._bytes("POST", "/v1/admin/shutdown")
        return decoded(raw, schemas.Done)

    # The stream.

    @asynccontextmanager
    async def stream(self) -> AsyncIterator[NodeStream]:
        """Open a WebSocket on which topics can be followed.

        Raises:
            NodeUnreachableError: the node does not open one.
        """
        url = f"{self.url}/v1/stream"
        try:
            socket = await self._opened().ws_connect(
                url, headers=self._headers(), heartbeat=HEARTBEAT_S, max_msg_size=MESSAGE_BYTES_MAX
            )
        except (aiohttp.ClientError, OSError) as error:
            raise NodeUnreachableError(f"{url} gives no stream: {said(error)}") from error
        async with socket:
            yield NodeStream(socket)

    # How it is asked.

    async def _get(self, path: str, kind: type[Answer], **parameters: str | int | None) -> Answer:
        given = {name: str(value) for name, value in parameters.items() if value is not None}
        return decoded(await self._bytes("GET", path, parameters=given), kind)

    async def _post(self, path: str, body: msgspec.Struct, kind: type[Answer]) -> Answer:
        return decoded(await self._bytes("POST", path, body=msgspec.json.encode(body)), kind)

    async def _upload(self, method: str, path: str, content: IO[bytes]) -> schemas.BlobStat:
        # A length that is known keeps aiohttp from sending chunks, which no node takes.
        size_bytes = content.seek(0, os.SEEK_END)
        content.seek(0)
        headers = {"Content-Type": OCTETS, "Content-Length": str(size_bytes)}
        async with self._asked(
            method, path, body=content, headers=headers, deadline_s=TRANSFER_DEADLINE_S
        ) as answer:
            return decoded(await answer.read(), schemas.BlobStat)

    async def _bytes(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> bytes:
        headers = {} if body is None else {"Content-Type": "application/json"}
        async with self._asked(
            method, path, parameters=parameters, body=body, headers=headers
        ) as answer:
            return await bounded(answer)

    @asynccontextmanager
    async def _asked(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        body: bytes | IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._opened().request(
                method,
                f"{self.url}{path}",
                params=parameters,
                data=body,
                headers={**self._headers(), **(headers or {})},
                # Who is sent a body is silent until it has all of it.
                timeout=aiohttp.ClientTimeout(
                    total=deadline_s, sock_read=DEADLINE_S if body is None else None
                ),
                allow_redirects=False,
            ) as answer:
                if answer.status >= 300:
                    raise refusal(answer.status, await bounded(answer))
                yield answer
        except TimeoutError as error:
            raise NodeUnreachableError(f"{self.url} did not answer in {deadline_s:g} s") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            # No other OSError: aiohttp wraps its own, so that is of a file of whoever asks.
            raise NodeUnreachableError(f"no node answers at {self.url}: {said(error)}") from error

    def _opened(self) -> aiohttp.ClientSession:
        assert self._session is not None, "enter the client first"
        return self._session

    def _headers(self) -> dict[str, str]:
        return {} if self._token is None else {"Authorization": f"Bearer {self._token()}"}
