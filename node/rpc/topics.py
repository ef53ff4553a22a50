"""One WebSocket as a pure machine: what the client follows, and which notices an event gives.

Guards: a socket holds a bounded number of subscriptions, and all sockets together as well; a
message that cannot be read is answered, and too many of them end the socket.
"""

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, assert_never

import msgspec

from node.chain.feed import CertificateFormed, ChainEvent, CommitExecuted
from node.chain.index import EventPlace
from node.federation.calls import ROUNDS
from node.ledger.receipt import Event
from node.rpc.limits import Quota
from node.rpc.rendering import Renderer
from node.rpc.schemas import LogLine
from node.rpc.stream_schemas import (
    CertificateNotice,
    CommitNotice,
    EventNotice,
    FromClient,
    FromNode,
    LogNotice,
    Notice,
    Refused,
    RoundNotice,
    Subscribe,
    Subscribed,
    Topic,
    Unsubscribe,
    Unsubscribed,
)

SUBSCRIPTIONS_PER_SOCKET_MAX: Final = 16
MESSAGE_BYTES_MAX: Final = 4_096
FAULTS_MAX: Final = 8
"""Messages that a client may get wrong before it is cut."""

_DECODER: Final = msgspec.json.Decoder(FromClient)


class LogAccess(enum.Enum):
    """Whether a client may follow the log."""

    YES = "yes"
    NO = "no"


@dataclass(slots=True)
class Faults:
    """How often the client was refused."""

    count: int = 0

    @property
    def is_enough(self) -> bool:
        """Tell whether to cut it."""
        return self.count >= FAULTS_MAX


class Topics:
    """What one client follows.

    Args:
        quota: of all sockets together.
        client: whose share of it this is.
        logs: for the operator only.
    """

    def __init__(self, quota: Quota, *, client: str, logs: LogAccess) -> None:
        self._quota = quota
        self._client = client
        self._logs = logs
        self._subscriptions: dict[int, Subscribe] = {}
        self.faults = Faults()

    def close(self) -> None:
        """Give the subscriptions back; harmless when repeated."""
        self._quota.give_back(self._client, len(self._subscriptions))
        self._subscriptions.clear()

    @property
    def every_ms(self) -> int:
        """Return how long the client wants nothing after it was told something."""
        return min((one.every_ms for one in self._subscriptions.values()), default=0)

    def follows(self, *topics: Topic) -> bool:
        """Tell whether the client follows one of them."""
        return any(one.topic in topics for one in self._subscriptions.values())

    def handle(self, raw: str, *, height: int) -> FromNode:
        """Return the answer to a message of the client."""
        try:
            message = _DECODER.decode(raw)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            return self._refuse(None, "bad-message", str(error)[:200])
        match message:
            case Subscribe():
                return self._subscribe(message, height=height)
            case Unsubscribe(id=number):
                if self._subscriptions.pop(number, None) is None:
                    return self._refuse(number, "no-subscription", f"there is no {number}")
                self._quota.give_back(self._client)
                return Unsubscribed(id=number)
            case _:
                assert_never(message)

    def notices(self, event: ChainEvent) -> Iterator[Notice]:
        """Yield what of an event of the chain needs no state to be told; what `places` has follows.

        Most clients follow only this, and a view of the state costs more than all their notices.
        """
        match event:
            case CommitExecuted():
                yield from self._commit(event)
            case CertificateFormed(certificate=certificate, formed_ms=formed_ms):
                checkpoint = certificate.checkpoint
                for number in self._of(Topic.COMMITS):
                    yield CertificateNotice(
                        id=number,
                        number=checkpoint.number,
                        epoch=checkpoint.epoch,
                        height=checkpoint.height,
                        formed_ms=formed_ms,
                    )
            case _:
                assert_never(event)

    def places(self, event: ChainEvent) -> tuple[EventPlace, ...]:
        """Return what contracts told that the client follows, in the order it happened."""
        if not isinstance(event, CommitExecuted) or not self.follows(Topic.EVENTS, Topic.ROUNDS):
            return ()
        return tuple(place for place in _places(event) if self._wanted(place.event))

    def placed(self, place: EventPlace, *, renderer: Renderer) -> Iterator[Notice]:
        """Yield what one of `places` means for the client."""
        shown = renderer.placed(place)
        for number, one in self._wanted(place.event):
            if one.topic is Topic.EVENTS:
                yield EventNotice(id=number, event=shown)
                continue
            task = (shown.event.fields or {}).get("task")
            if task is not None and one.task in (None, int(task)):
                yield RoundNotice(id=number, task=int(task), event=shown)

    def log(self, line: LogLine) -> Iterator[Notice]:
        """Yield what a line of the log means for the client."""
        for number in self._of(Topic.LOGS):
            yield LogNotice(id=number, line=line)

    def _subscribe(self, wanted: Subscribe, *, height: int) -> FromNode:
        if wanted.id in self._subscriptions:
            return self._refuse(wanted.id, "in-use", f"the id {wanted.id} is in use")
        if wanted.topic is Topic.LOGS and self._logs is LogAccess.NO:
            return self._refuse(wanted.id, "forbidden", "the log is for the operator's token")
        if wanted.contract is not None and wanted.topic is not Topic.EVENTS:
            return self._refuse(wanted.id, "bad-message", "contract belongs to events")
        if wanted.task is not None and wanted.topic is not Topic.ROUNDS:
            return self._refuse(wanted.id, "bad-message", "task belongs to rounds")
        is_full = len(self._subscriptions) >= SUBSCRIPTIONS_PER_SOCKET_MAX
        if is_full or not self._quota.take(self._client):
            return self._refuse(wanted.id, "too-many", "too many subscriptions")
        self._subscriptions[wanted.id] = wanted
        return Subscribed(id=wanted.id, height=height)

    def _refuse(self, number: int | None, code: str, message: str) -> Refused:
        self.faults.count += 1
        return Refused(id=number, code=code, message=message)

    def _of(self, topic: Topic) -> list[int]:
        return [number for number, one in self._subscriptions.items() if one.topic is topic]

    def _commit(self, event: CommitExecuted) -> Iterator[Notice]:
        for number in self._of(Topic.COMMITS):
            yield CommitNotice(
                id=number,
                height=event.height,
                epoch=event.epoch,
                commit_index=event.commit_index,
                digest=event.digest.hex(),
                time_ms=event.time_ms,
                state_root=event.state_root.hex(),
                receipts=len(event.receipts),
                checkpoint=None if event.checkpoint is None else event.checkpoint.number,
            )

    def _wanted(self, event: Event) -> list[tuple[int, Subscribe]]:
        return [
            (number, one) for number, one in self._subscriptions.items() if _concerns(one, event)
        ]


def _concerns(wanted: Subscribe, event: Event) -> bool:
    match wanted.topic:
        case Topic.EVENTS:
            return wanted.contract in (None, event.contract.hex())
        case Topic.ROUNDS:
            return event.contract == ROUNDS
        case _:
            return False


def _places(event: CommitExecuted) -> Iterator[EventPlace]:
    for receipt_index, receipt in enumerate(event.receipts):
        for event_index, told in enumerate(receipt.events):
            yield EventPlace(
                height=event.height,
                receipt_index=receipt_index,
                event_index=event_index,
                event=told,
            )
