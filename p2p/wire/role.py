"""Say which side of a connection we are: it decides who speaks first and who opens odd streams."""

import enum


class Role(enum.Enum):
    """The side of one connection, fixed by who opened the TCP connection."""

    DIALER = "dialer"
    LISTENER = "listener"
