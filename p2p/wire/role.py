"""Say which side of a connection we are: it decides who speaks first and who opens odd streams.

Seen from us, a connection or a stream has a direction.
"""

import enum


class Role(enum.Enum):
    """The side of one connection, fixed by who opened the TCP connection."""

    DIALER = "dialer"
    LISTENER = "listener"


class Direction(enum.Enum):
    """Who opened a stream or a connection."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
