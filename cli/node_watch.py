"""`hanse node status`, `peers` and `logs`: look at a node that runs."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from cli.identity import write_own_token
from cli.news import PAUSE_S, news_of
from cli.online import Online, Signing, online, signing
from cli.printing import clean, moment, print_json, print_record, print_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from node.rpc.client import NodeClient
    from node.rpc.schemas import LogLine

_LINES_MAX: Final = 1_000
_TOKEN_LIFE_S: Final = 3_600
_MS_PER_S: Final = 1_000

Lines: TypeAlias = Annotated[
    int, typer.Option("--lines", "-n", min=1, max=_LINES_MAX, help="How many of the newest.")
]
Follow: TypeAlias = Annotated[
    bool, typer.Option("--follow", "-f", help="Go on with each line that is logged, until Ctrl-C.")
]


@online
def status(line: Online) -> None:
    """Show what kind of node it is and how it is doing; exit 1 if it is not ready."""
    found = line.ask(lambda client: client.status())
    if line.as_json:
        print_json(found)
    else:
        print_record(
            {
                "name": found.name,
                "version": found.version,
                "chain": f"{found.chain_name} {found.chain_id}",
                "roles": found.roles or "full node",
                "account": found.operator,
                "peer": found.peer_id,
                "ready": found.is_ready,
                "height": found.height,
                "final": found.certified_height,
                "behind": f"{found.head_age_ms / _MS_PER_S:.1f} s",
                "peers": found.peers,
                "transactions waiting": found.mempool_transactions,
                "up": f"{found.uptime_ms // _MS_PER_S} s",
            }
        )
    if not found.is_ready:
        raise typer.Exit(1)


@online
def peers(line: Online) -> None:
    """List the peers of a node."""
    found = line.ask(lambda client: client.peers())
    if line.as_json:
        print_json(found)
        return
    rows = [(one.peer_id, one.direction, one.round_trip_ms, one.address) for one in found.peers]
    print_table(("peer", "way", ">ms", "address"), rows, empty="no peers")


@signing
def logs(line: Signing, *, lines: Lines = 50, follow: Follow = False) -> None:
    """Print the newest lines of a node's log; only its operator may, with the account's key."""

    async def main(client: "NodeClient") -> None:
        if not follow:
            print_lines(await client.logs(limit=lines), as_json=line.as_json)
            return
        await follow_log(client, line, lines=lines)

    line.ask(main, token=write_own_token(line, life_s=_TOKEN_LIFE_S))


async def follow_log(client: "NodeClient", line: Online, *, lines: int) -> None:
    """Print the newest lines of the log, then each further one as the node tells it."""
    from node.rpc.stream_schemas import LogNotice, Topic

    async with news_of(client, Topic.LOGS) as news:
        if news.stream is None:
            seen = await client.logs(limit=_LINES_MAX)
            print_lines(seen[-lines:], as_json=line.as_json)
            await _poll(client, line, seen=seen)
            return
        newest = await client.logs(limit=lines)
        print_lines(newest, as_json=line.as_json)
        async for notice in news.stream:
            # Lines that were logged between the subscription and the answer come twice.
            if isinstance(notice, LogNotice) and notice.line not in newest:
                print_lines([notice.line], as_json=line.as_json)


async def _poll(client: "NodeClient", line: Online, *, seen: "Sequence[LogLine]") -> None:
    while True:
        await asyncio.sleep(PAUSE_S)
        newest = await client.logs(limit=_LINES_MAX)
        print_lines([one for one in newest if one not in seen], as_json=line.as_json)
        seen = newest


def print_lines(found: "Iterable[LogLine]", *, as_json: bool) -> None:
    """Print lines of a log, each as one line."""
    for one in found:
        print_json(one) if as_json else typer.echo(_told(one))


def _told(line: "LogLine") -> str:
    if not line.level:
        # Words that no logger wrote, as those of a crash, have no time and no fields.
        return clean(line.event)
    fields = " ".join(f"{name}={value}" for name, value in line.fields.items())
    return clean(f"{moment(line.time_ms)} {line.level:<7} {line.event} {fields}".rstrip())
