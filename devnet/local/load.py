"""Make load: transfers between accounts that genesis funded, signed beforehand, in batches.

Each account sends through one node, so its nonces arrive in order. What a node refuses for want of
room is offered again; all else that is refused counts as refused, and ends its account's part until
more is signed, which is every few seconds: a signed transaction is valid for two minutes only.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from devnet.local.errors import NoDevnetError
from devnet.local.founding import load_keys
from devnet.local.memory import Resident, largest, node_pids
from devnet.local.network import LocalNetwork
from devnet.local.purse import Purse
from node.ledger.transaction import Action, SignedTransaction, Transfer
from node.rpc.client import NodeClient
from node.rpc.errors import NodeAnswerError, NodeUnreachableError
from node.rpc.stream_schemas import CommitNotice, Topic
from primitives.errors import first_error
from primitives.ids import Address, ChainId, Gas, Grain
from primitives.keys import PrivateKey

BATCH: Final = 64
TICK_S: Final = 0.02
DRAIN_S: Final = 15.0
DRAIN_LOOK_S: Final = 0.25
TRANSFER_GAS: Final = Gas(60_000)
WAITING_MAX: Final = 200_000
AHEAD_S: Final = 20
"""Of load that is signed at a time."""
REFILL_S: Final = 0.5
"""Between two looks at nodes that have nothing left to send, for they may be away."""
FULL_CODES: Final = frozenset({"mempool_full", "rate-limit", "unavailable"})


class LoadOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a load.

    Args:
        executed_per_s: from the first commit that had some to the last.
        memory: at the end, of the largest node; None where the system does not tell. Its workers
            and the process that checks signatures for it are not in it.
    """

    sent: int
    refused: int
    executed: int
    executed_per_s: float
    memory: Resident | None = None


@dataclass(slots=True)
class Stock:
    """Signed transactions of some accounts, an account after the other, for one node."""

    client: NodeClient
    waiting: deque[SignedTransaction] = field(default_factory=lambda: deque(maxlen=WAITING_MAX))
    sent: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    async def send(self, count: int) -> int:
        """Hand in the next so many, at most a batch; return how many were taken."""
        batch = [self.waiting.popleft() for _ in range(min(count, BATCH, len(self.waiting)))]
        if not batch:
            return 0
        outcomes = await self.client.submit_many(batch)
        taken, again = 0, []
        for signed, outcome in zip(batch, outcomes, strict=True):
            if outcome.refusal is None:
                taken += 1
            elif outcome.refusal.code in FULL_CODES:
                again.append(signed)
            else:
                code = outcome.refusal.code
                self.refused[code] = self.refused.get(code, 0) + 1
        self.waiting.extendleft(reversed(again))
        self.sent += taken
        return taken


@dataclass(slots=True)
class Meter:
    """Counts what commits execute, on one node."""

    client: NodeClient
    executed: int = 0
    first_s: float = 0.0
    last_s: float = 0.0

    async def run(self, is_listening: asyncio.Event) -> None:
        """Count until cancelled.

        Raises:
            NodeUnreachableError: the node tells no commits, or no more of them.
        """
        try:
            async with self.client.stream() as stream:
                await stream.subscribe(Topic.COMMITS)
                is_listening.set()
                async for notice in stream:
                    if isinstance(notice, CommitNotice) and notice.receipts:
                        self._count(notice.receipts)
        except (NodeAnswerError, NodeUnreachableError) as error:
            raise NodeUnreachableError(
                f"{self.client.url} tells no commits, so nothing can be counted: {error}"
            ) from error

    def _count(self, receipts: int) -> None:
        self.last_s = asyncio.get_running_loop().time()
        self.first_s = self.first_s or self.last_s
        self.executed += receipts

    def per_s(self, count: int) -> float:
        """Return the rate of so many between the first and the last commit that had any."""
        span_s = self.last_s - self.first_s
        return count / span_s if span_s > 0 else 0.0


Make = Callable[[int, PrivateKey], Action]


async def make_load(
    network: LocalNetwork, *, per_s: int, seconds: int, names: Sequence[str] = ()
) -> LoadOutcome:
    """Send transfers at a rate for a while.

    Args:
        network: whose accounts send.
        per_s: transfers of all together.
        seconds: how long.
        names: of the nodes that take them; all that run by default.

    Raises:
        NoDevnetError: no node runs.
        NodeUnreachableError: the first of them, on which commits are counted, went away.
    """
    make = transfer_between(network)
    stocks = await stock_up(network, count=per_s * min(seconds, AHEAD_S), make=make, names=names)
    meter = Meter(stocks[0].client)
    try:
        async with asyncio.TaskGroup() as group:
            is_listening = asyncio.Event()
            metering = group.create_task(meter.run(is_listening), name="meter")
            await is_listening.wait()
            before = await _nonces(network, meter.client)
            await _send(stocks, network, per_s=per_s, seconds=seconds, make=make)
            # Commits carry what others send as well: a task that trains meanwhile, say.
            executed = await _executed(network, stocks, before=before)
            metering.cancel()
    except BaseExceptionGroup as errors:
        raise first_error(errors) from errors
    return LoadOutcome(
        sent=sum(stock.sent for stock in stocks),
        refused=sum(sum(stock.refused.values()) for stock in stocks),
        executed=executed,
        executed_per_s=meter.per_s(executed),
        memory=largest(node_pids(network)),
    )


async def _executed(network: LocalNetwork, stocks: Sequence[Stock], *, before: int) -> int:
    """Return how many of what was sent are executed, after waiting for all for a while."""
    sent = sum(stock.sent for stock in stocks)
    loop = asyncio.get_running_loop()
    until_s = loop.time() + DRAIN_S
    while (executed := await _nonces(network, stocks[0].client) - before) < sent:
        if loop.time() >= until_s:
            break
        await asyncio.sleep(DRAIN_LOOK_S)
    return executed


async def _nonces(network: LocalNetwork, client: NodeClient) -> int:
    """Return how many transactions of all load accounts a node has executed."""
    keys = load_keys(network.record.plan, count=network.record.load_accounts)
    accounts = [await client.account(key.public.did_key) for key in keys]
    return sum(int(account.nonce) for account in accounts)


async def _send(
    stocks: Sequence[Stock], network: LocalNetwork, *, per_s: int, seconds: int, make: Make
) -> None:
    loop = asyncio.get_running_loop()
    begun_s, due, filled_s = loop.time(), 0, 0.0
    while (elapsed_s := loop.time() - begun_s) < seconds:
        wanted = round(elapsed_s * per_s)
        if not all(stock.waiting for stock in stocks) and elapsed_s > filled_s + REFILL_S:
            await fill(stocks, network, count=per_s * AHEAD_S, make=make)
            filled_s = elapsed_s
        while due < wanted:
            sent = await _send_one_batch(stocks, due, wanted - due)
            due += max(1, sent)
        await asyncio.sleep(TICK_S)


async def stock_up(
    network: LocalNetwork,
    *,
    count: int,
    make: Make,
    gas_limit: Gas = TRANSFER_GAS,
    names: Sequence[str] = (),
) -> list[Stock]:
    """Sign transactions beforehand, spread over the nodes that run.

    Args:
        network: whose load accounts sign.
        count: of transactions.
        make: the action of each, from its number and the key that signs.
        gas_limit: of each.
        names: of the nodes; all that run by default.

    Raises:
        NoDevnetError: no node runs.
    """
    alive = names or network.alive()
    if not alive:
        raise NoDevnetError(f"no node of {network.folder} runs; `hanse devnet up --keep`")
    stocks = [Stock(network.client(name)) for name in alive]
    await fill(stocks, network, count=count, make=make, gas_limit=gas_limit)
    return stocks


async def fill(
    stocks: Sequence[Stock],
    network: LocalNetwork,
    *,
    count: int,
    make: Make,
    gas_limit: Gas = TRANSFER_GAS,
) -> None:
    """Sign so many more for the nodes that have nothing left to send; one that is away gets none.

    An account goes on from where its node sees it, so what was refused or lost leaves no gap.
    """
    keys = load_keys(network.record.plan, count=network.record.load_accounts)
    chain_id = ChainId(bytes.fromhex(network.record.chain_id))
    each = -(-count // len(keys))
    signed: list[tuple[Stock, list[SignedTransaction]]] = []
    for place, key in enumerate(keys):
        stock = stocks[place % len(stocks)]
        if stock.waiting:
            continue
        purse = Purse(stock.client, key, chain_id)
        try:
            nonce = int((await stock.client.account(purse.account)).next_nonce)
            now_ms = (await stock.client.head()).time_ms
        except (NodeAnswerError, NodeUnreachableError):
            continue
        own = [
            purse.signed(make(turn, key), nonce=nonce + turn, gas_limit=gas_limit, now_ms=now_ms)
            for turn in range(each)
        ]
        signed.append((stock, own))
        # Signing takes long; whoever shows a table meanwhile shall be able to.
        await asyncio.sleep(0)
    for turn in range(each):
        for stock, own in signed:
            stock.waiting.append(own[turn])


def transfer_between(network: LocalNetwork) -> Make:
    """Return what makes transfers of one grain to the next account."""
    keys = load_keys(network.record.plan, count=network.record.load_accounts)
    following = {
        key.public.raw: Address(other.public.raw)
        for key, other in zip(keys, [*keys[1:], keys[0]], strict=True)
    }
    return lambda _, key: Transfer(recipient=following[key.public.raw], amount=Grain(1))


async def drained(meter: Meter, sent: int, *, limit_s: float = DRAIN_S) -> None:
    """Return once so many were executed, whoever sent them, or the time is over."""
    for _ in range(round(limit_s / TICK_S)):
        if meter.executed >= sent:
            return
        await asyncio.sleep(TICK_S)


async def _send_one_batch(stocks: Sequence[Stock], turn: int, count: int) -> int:
    stock = stocks[turn // BATCH % len(stocks)]
    try:
        return await stock.send(count)
    except (NodeAnswerError, NodeUnreachableError):
        await asyncio.sleep(TICK_S)
        return 0
