"""The node itself: status, peers, duties, logs, and what only its operator may do."""

from typing import Annotated

import msgspec

from node.rpc import schemas
from node.rpc.duty_rendering import show_duties, show_rounds
from node.rpc.errors import BadRequestError, UnavailableError
from node.rpc.route import Access, AnyAsk, Ask, NoBody, NoParameters, Route
from node.rpc.texts import PeerText, account_text
from p2p.host import Host
from p2p.peer_list import view_peers
from p2p.wire.peer_id import PeerId, parse_peer_id, peer_id_text
from primitives.errors import HanseError


class AskedPeer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A peer."""

    peer_id: PeerText


class AskedLines(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of the log."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 100


async def health(_: Ask[NoParameters, NoBody]) -> schemas.Health:
    """Answer, which is all that is asked."""
    return schemas.Health(status="ok")


async def ready(ask: Ask[NoParameters, NoBody]) -> schemas.Health:
    """Answer once the node is near the newest certificate."""
    if not ask.context.is_ready():
        raise UnavailableError("the node is catching up with the chain")
    return schemas.Health(status="ready")


async def status(ask: Ask[NoParameters, NoBody]) -> schemas.Status:
    """Return what kind of node this is and how it is doing."""
    context = ask.context
    chain, host, operator = context.chain, context.host, context.operator
    certified = chain.certified
    return schemas.Status(
        name=context.name,
        version=context.version,
        chain_id=chain.chain_id.hex(),
        chain_name=chain.genesis.name,
        roles=context.roles,
        operator=None if operator is None else account_text(operator),
        peer_id=None if host is None else peer_id_text(host.peer_id),
        height=chain.head.height,
        certified_height=None if certified is None else certified.checkpoint.height,
        head_age_ms=max(0, context.clock.wall_ms() - chain.head.time_ms),
        is_ready=context.is_ready(),
        peers=0 if host is None else len(host.connections.peers),
        mempool_transactions=len(context.mempool.pool),
        uptime_ms=context.clock.monotonic_ms() - context.started_ms,
    )


def _host(ask: AnyAsk) -> Host:
    if ask.context.host is None:
        raise UnavailableError("this node has no peers")
    return ask.context.host


async def list_peers(ask: Ask[NoParameters, NoBody]) -> schemas.Peers:
    """Return the connected peers."""
    host = _host(ask)
    return schemas.Peers(
        peer_id=peer_id_text(host.peer_id),
        listen=tuple(map(str, host.addresses)),
        peers=tuple(
            schemas.Peer(
                peer_id=view.peer,
                address=view.address,
                direction=view.direction,
                agent=view.agent or "",
                age_ms=view.age_ms,
                round_trip_ms=view.rtt_ms,
                received_bytes=view.received_bytes,
                sent_bytes=view.sent_bytes,
            )
            for view in view_peers(host, ask.context.pubsub)
        ),
    )


def _peer(text: str) -> PeerId:
    try:
        return parse_peer_id(text)
    except (HanseError, ValueError) as error:
        raise BadRequestError(f"not a peer id: {error}") from error


async def ban_peer(ask: Ask[AskedPeer, schemas.BanRequest]) -> schemas.Done:
    """Cut a peer off and refuse it for a while."""
    _host(ask).ban(
        _peer(ask.asked.peer_id), reason=ask.body.reason, duration_ms=ask.body.duration_ms
    )
    return schemas.Done(done=True)


async def unban_peer(ask: Ask[AskedPeer, NoBody]) -> schemas.Done:
    """Let a peer in again."""
    _host(ask).bans.lift(_peer(ask.asked.peer_id))
    return schemas.Done(done=True)


async def show_all_duties(ask: Ask[NoParameters, NoBody]) -> schemas.Duties:
    """Return what this node does for training."""
    if ask.context.duties is None:
        raise UnavailableError("this node has no duties: it is a full node")
    return show_duties(ask.context.duties.status())


async def report_duties(ask: Ask[NoParameters, NoBody]) -> schemas.DutyReport:
    """Return the duties with the times of the last rounds."""
    duties = ask.context.duties
    if duties is None:
        raise UnavailableError("this node has no duties: it is a full node")
    return schemas.DutyReport(
        duties=show_duties(duties.status()), rounds=show_rounds(duties.rounds())
    )


async def tail_log(ask: Ask[AskedLines, NoBody]) -> schemas.LogTail:
    """Return the newest lines of the log."""
    if ask.context.logs is None:
        raise UnavailableError("this node keeps no lines of its log")
    return schemas.LogTail(lines=tuple(ask.context.logs.tail(ask.asked.limit)))


async def shut_down(ask: Ask[NoParameters, NoBody]) -> schemas.Done:
    """Ask the node to end; it does so once this is answered."""
    ask.context.request_shutdown()
    return schemas.Done(done=True)


ROUTES = (
    Route(
        method="GET",
        path="/health",
        name="health",
        summary="The node answers.",
        handler=health,
        answer=schemas.Health,
        tag="node",
    ),
    Route(
        method="GET",
        path="/ready",
        name="ready",
        summary="The node is near the newest certificate that it knows of.",
        handler=ready,
        answer=schemas.Health,
        tag="node",
    ),
    Route(
        method="GET",
        path="/v1/status",
        name="status",
        summary="What kind of node this is and how it is doing.",
        handler=status,
        answer=schemas.Status,
        tag="node",
    ),
    Route(
        method="GET",
        path="/v1/peers",
        name="peers",
        summary="The connected peers.",
        handler=list_peers,
        answer=schemas.Peers,
        tag="node",
    ),
    Route(
        method="GET",
        path="/v1/duties",
        name="duties",
        summary="What this node does for training.",
        handler=show_all_duties,
        answer=schemas.Duties,
        tag="node",
    ),
    Route(
        method="GET",
        path="/v1/logs",
        name="logs",
        summary="The newest lines of the log.",
        handler=tail_log,
        asked=AskedLines,
        answer=schemas.LogTail,
        access=Access.OPERATOR,
        tag="operator",
    ),
    Route(
        method="GET",
        path="/v1/admin/duties",
        name="duty_report",
        summary="The duties with the times of the last rounds.",
        handler=report_duties,
        answer=schemas.DutyReport,
        access=Access.OPERATOR,
        tag="operator",
    ),
    Route(
        method="POST",
        path="/v1/admin/peers/{peer_id}/ban",
        name="ban",
        summary="Cut a peer off and refuse it for a while.",
        handler=ban_peer,
        asked=AskedPeer,
        body=schemas.BanRequest,
        answer=schemas.Done,
        access=Access.OPERATOR,
        tag="operator",
    ),
    Route(
        method="DELETE",
        path="/v1/admin/peers/{peer_id}/ban",
        name="unban",
        summary="Let a peer in again.",
        handler=unban_peer,
        asked=AskedPeer,
        answer=schemas.Done,
        access=Access.OPERATOR,
        tag="operator",
    ),
    Route(
        method="POST",
        path="/v1/admin/shutdown",
        name="shutdown",
        summary="Ask the node to end.",
        handler=shut_down,
        answer=schemas.Done,
        status=202,
        access=Access.OPERATOR,
        tag="operator",
    ),
)
