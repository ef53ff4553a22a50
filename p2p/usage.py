"""Count what each protocol carried, in plain integers that cost the hot paths nearly nothing."""

from typing import Final

PROTOCOLS_MAX: Final = 256
"""Bound on the protocols counted; only those that we proposed or answer ever agree."""


class Usage:
    """One protocol since the start of the host, negotiation apart."""

    __slots__ = ("inbound_streams", "outbound_streams", "received_bytes", "sent_bytes")

    def __init__(self) -> None:
        self.inbound_streams = 0
        self.outbound_streams = 0
        self.received_bytes = 0
        self.sent_bytes = 0


class UsageTable:
    """All protocols of one host."""

    def __init__(self) -> None:
        self._usages: dict[str, Usage] = {}

    def of(self, protocol: str) -> Usage:
        """Return the counters of a protocol; those beyond the bound share one that is not shown."""
        usage = self._usages.get(protocol)
        if usage is None:
            usage = Usage()
            if len(self._usages) < PROTOCOLS_MAX:
                self._usages[protocol] = usage
        return usage

    def items(self) -> tuple[tuple[str, Usage], ...]:
        """Return the protocols and their counters."""
        return tuple(self._usages.items())
