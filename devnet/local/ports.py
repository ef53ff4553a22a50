"""Free TCP ports on loopback: the system chooses them, and they are given back at once.

Another program may take one in between; then a node says that its port is in use, and the network
is founded again. All are held together while they are drawn, so no two are alike.
"""

import socket
from contextlib import ExitStack


def free_ports(count: int) -> tuple[int, ...]:
    """Return so many different ports that nobody listens on now."""
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            for _ in range(count)
        ]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return tuple(int(one.getsockname()[1]) for one in sockets)
