"""Keep the messages of the last heartbeats, so that they can be advertised and asked for."""

from collections import Counter, deque
from collections.abc import Iterable

from p2p.gossip.events import Message
from p2p.wire.peer_id import PeerId


class MessageCache:
    """A ring of windows, one per heartbeat, bounded in windows and in bytes."""

    __slots__ = ("_asked", "_bytes", "_bytes_max", "_gossip_windows", "_messages", "_windows")

    def __init__(self, *, history_windows: int, gossip_windows: int, bytes_max: int) -> None:
        self._gossip_windows = gossip_windows
        self._windows: deque[deque[Message]] = deque([deque()], maxlen=history_windows)
        self._messages: dict[bytes, Message] = {}
        self._asked: dict[bytes, Counter[PeerId]] = {}
        self._bytes = 0
        self._bytes_max = bytes_max

    @property
    def size_bytes(self) -> int:
        """How many bytes of messages are held."""
        return self._bytes

    def put(self, message: Message) -> None:
        """Keep a new message; above the bound in bytes the oldest go first, window by window."""
        self._messages[message.id] = message
        self._windows[0].append(message)
        self._bytes += len(message.publish_field)
        while self._bytes > self._bytes_max and len(self._windows) > 1:
            self._forget(self._windows.pop())
        while self._bytes > self._bytes_max:
            self._forget((self._windows[0].popleft(),))

    def get(self, message_id: bytes) -> Message | None:
        """Return a message, if it is still held."""
        return self._messages.get(message_id)

    def count_request(self, message_id: bytes, peer_id: PeerId) -> int:
        """Count one request of a peer for a message that is held; return how many it made."""
        asked = self._asked.get(message_id)
        if asked is None:
            asked = self._asked[message_id] = Counter()
        asked[peer_id] += 1
        return asked[peer_id]

    def advertised(self) -> dict[str, list[bytes]]:
        """Return by topic the ids of the newest windows, in order of arrival."""
        ids: dict[str, list[bytes]] = {}
        newest = list(self._windows)[: self._gossip_windows]
        for window in reversed(newest):
            for message in window:
                ids.setdefault(message.topic, []).append(message.id)
        return ids

    def shift(self) -> None:
        """Begin a new window and forget the oldest one if the ring is full."""
        windows = self._windows
        if len(windows) == windows.maxlen:
            self._forget(windows.pop())
        windows.appendleft(deque())

    def _forget(self, window: Iterable[Message]) -> None:
        for message in window:
            # Published again after the seen ids forgot it, a message is in two windows.
            if self._messages.get(message.id) is message:
                del self._messages[message.id]
                self._asked.pop(message.id, None)
            self._bytes -= len(message.publish_field)
