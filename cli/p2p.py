"""`hanse p2p`: what an operator does with the network of peers itself."""

from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

import typer

from cli.reals import real_between

if TYPE_CHECKING:
    from p2p.probe.plan import ProbePlan
    from p2p.wire.multiaddr import Multiaddr

DEFAULT_LISTEN = "/ip4/127.0.0.1/tcp/0"
DEFAULT_TIMEOUT_S = 60.0
"""For goals; whoever only serves does so until it is told to stop."""

_COUNT_MAX: Final = 1 << 30
_SECONDS_MAX: Final = 86_400

app = typer.Typer(no_args_is_help=True, help="Look at the network of peers.")

Listen: TypeAlias = Annotated[list[str] | None, typer.Option(help="Where to listen: a multiaddr.")]
NoListen: TypeAlias = Annotated[bool, typer.Option("--no-listen", help="Only dial.")]
Dial: TypeAlias = Annotated[
    list[str] | None, typer.Option(help="Whom to meet: a multiaddr that ends in /p2p/ID.")
]
Topic: TypeAlias = Annotated[list[str] | None, typer.Option(help="A topic to take part in.")]
NoSubscribe: TypeAlias = Annotated[
    bool, typer.Option("--no-subscribe", help="Publish without being subscribed.")
]
Publish: TypeAlias = Annotated[
    int, typer.Option(min=0, max=_COUNT_MAX, help="Messages to publish per topic.")
]
Size: TypeAlias = Annotated[int, typer.Option(min=1, max=_COUNT_MAX, help="Bytes of each message.")]
Rate: TypeAlias = Annotated[
    float,
    typer.Option(
        parser=real_between(0, _COUNT_MAX),
        metavar="NUMBER",
        help="Messages a second; 0: no limit.",
    ),
]
Expect: TypeAlias = Annotated[
    int, typer.Option(min=0, max=_COUNT_MAX, help="Messages that have to arrive.")
]
MinPeers: TypeAlias = Annotated[
    int | None,
    typer.Option(min=0, max=_COUNT_MAX, help="Subscribers to wait for before publishing."),
]
Settle: TypeAlias = Annotated[
    float,
    typer.Option(
        parser=real_between(0, _SECONDS_MAX), metavar="S", help="Seconds to wait after that."
    ),
]
Timeout: TypeAlias = Annotated[
    float | None,
    typer.Option(
        parser=real_between(0, _SECONDS_MAX),
        metavar="S",
        help="Seconds until the goals have to be met.",
    ),
]
Linger: TypeAlias = Annotated[
    float,
    typer.Option(
        parser=real_between(0, _SECONDS_MAX),
        metavar="S",
        help="Seconds to go on serving when they are met.",
    ),
]
Seed: TypeAlias = Annotated[
    str | None, typer.Option(metavar="HEX64", help="The seed of the key; by default a new one.")
]
Policy: TypeAlias = Annotated[
    Literal["StrictSign", "StrictNoSign"], typer.Option(help="Whether messages are signed.")
]
MessageId: TypeAlias = Annotated[
    Literal["spec", "sha256", "topic20"],
    typer.Option("--msgid", help="What makes the id of a message."),
]
Versions: TypeAlias = Annotated[str, typer.Option(help="Of meshsub, best first.")]
Pings: TypeAlias = Annotated[int, typer.Option(min=0, max=_COUNT_MAX, help="Pings to each peer.")]
Echo: TypeAlias = Annotated[
    int, typer.Option(min=0, max=_COUNT_MAX, help="Bytes to send there and back.")
]
PerfUp: TypeAlias = Annotated[
    int, typer.Option(min=0, max=_COUNT_MAX, help="Bytes to upload over /perf.")
]
PerfDown: TypeAlias = Annotated[
    int, typer.Option(min=0, max=_COUNT_MAX, help="Bytes to download over /perf.")
]
Redials: TypeAlias = Annotated[
    int, typer.Option(min=0, max=_COUNT_MAX, help="Connections to open and close.")
]
ServeOnly: TypeAlias = Annotated[
    bool, typer.Option("--serve-only", help="Serve until told to stop, without goals.")
]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", help="No line for each message.")]


@app.callback()
def group() -> None:
    """Look at the network of peers."""


@app.command()
def peer(  # noqa: PLR0913 - one argument for each option, which is how Typer reads them
    *,
    listen: Listen = None,
    no_listen: NoListen = False,
    dial: Dial = None,
    topic: Topic = None,
    no_subscribe: NoSubscribe = False,
    publish: Publish = 0,
    size: Size = 1024,
    rate: Rate = 0,
    expect: Expect = 0,
    min_peers: MinPeers = None,
    settle: Settle = 0,
    timeout: Timeout = None,
    linger: Linger = 0,
    seed: Seed = None,
    policy: Policy = "StrictSign",
    msgid: MessageId = "spec",
    versions: Versions = "1.2,1.1,1.0",
    pings: Pings = 0,
    echo: Echo = 0,
    perf_up: PerfUp = 0,
    perf_down: PerfDown = 0,
    redials: Redials = 0,
    serve_only: ServeOnly = False,
    quiet: Quiet = False,
) -> None:
    """Be a peer that prints what it sees as JSON lines; exit 0 when every goal was met."""
    from p2p.gossip.policy import MessageIdRule, SigningPolicy
    from p2p.probe.plan import Exercise, GossipPlan, ProbePlan

    exercise = Exercise(
        pings=pings, echo_bytes=echo, up_bytes=perf_up, down_bytes=perf_down, redials=redials
    )
    gossip = GossipPlan(
        topics=tuple(dict.fromkeys(topic or ())),
        is_subscriber=not no_subscribe,
        publish_count=publish,
        size_bytes=size,
        rate=rate,
        expected_count=expect,
        listeners_min=min(publish, 1) if min_peers is None else min_peers,
        settle_s=settle,
        policy=SigningPolicy(policy),
        message_id=MessageIdRule(msgid),
        versions=tuple(versions.split(",")),
    )
    plan = ProbePlan(
        listen=() if no_listen else _addresses(listen or [DEFAULT_LISTEN]),
        dials=_addresses(dial or []),
        seed=None if seed is None else _seed(seed),
        timeout_s=timeout or (None if serve_only else DEFAULT_TIMEOUT_S),
        linger_s=linger,
        is_server=serve_only,
        is_quiet=quiet,
        exercise=exercise,
        gossip=gossip,
    )
    _run(plan)


def _addresses(texts: list[str]) -> "tuple[Multiaddr, ...]":
    from p2p.wire.multiaddr import Multiaddr

    return tuple(Multiaddr.parse(text) for text in texts)


def _seed(digits: str) -> bytes:
    from primitives.errors import ConfigurationError

    try:
        return bytes.fromhex(digits)
    except ValueError as error:
        raise ConfigurationError("--seed takes 64 hexadecimal digits") from error


def _run(plan: "ProbePlan") -> None:
    from cli.logs import log_to_stderr
    from node.running.event_loop import run_async
    from p2p.probe.events import ENCODER, AnyEvent
    from p2p.probe.probe import run_probe

    # The standard output holds events and nothing else.
    log_to_stderr()

    def emit(event: AnyEvent) -> None:
        typer.echo(ENCODER.encode(event))

    if not run_async(run_probe(plan, emit=emit)):
        raise typer.Exit(1)
