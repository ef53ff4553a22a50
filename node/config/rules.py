"""What one key alone cannot tell: addresses that parse, and keys that need each other."""

from collections.abc import Callable, Iterator

from node.config.errors import ConfigFileError
from node.config.sections import Config, Role
from p2p.wire.multiaddr import Multiaddr
from primitives.errors import MalformedBytesError

_PORT_MAX = 65_535


def check_config(config: Config, *, place: Callable[[str], str]) -> None:
    """Check the configuration as a whole.

    Args:
        config: whose keys have their types.
        place: says where a key "section.name" was set.

    Raises:
        ConfigFileError: it breaks a rule.
    """
    for key, reason in _complaints(config):
        raise ConfigFileError(f"{key} {reason}", place=place(key))


def split_listen(text: str) -> tuple[str, int]:
    """Return the host and the port of HOST:PORT, with an IPv6 address in brackets.

    Raises:
        ValueError: it is not of that form.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > _PORT_MAX:
        raise ValueError(f"{text!r} is not HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _complaints(config: Config) -> Iterator[tuple[str, str]]:
    yield from _multiaddrs("network.listen", config.network.listen)
    yield from _multiaddrs("network.announce", config.network.announce)
    yield from _multiaddrs("network.peers", config.network.peers)
    for peer in config.network.peers:
        if "/p2p/" not in peer:
            yield "network.peers", f"wants addresses that end in /p2p/ID, got {peer!r}"
    if config.rpc.listen:
        try:
            split_listen(config.rpc.listen)
        except ValueError as error:
            yield "rpc.listen", f"wants HOST:PORT, as 127.0.0.1:26657: {error}"
    if len(set(config.node.roles)) != len(config.node.roles):
        yield "node.roles", "names a role twice"
    if config.has_role(Role.VALIDATOR) and not config.keys.consensus:
        yield "keys.consensus", "is empty, but a validator signs blocks with it"
    if config.node.roles and not config.keys.account:
        yield "keys.account", "is empty, but validators and trainers sign transactions with it"
    if config.has_role(Role.TRAINER) and not config.training.examples:
        yield "training.examples", "is empty, but a trainer learns from examples"


def _multiaddrs(key: str, texts: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for text in texts:
        try:
            Multiaddr.parse(text)
        except MalformedBytesError as error:
            yield key, f"holds an address that is none: {error}"
