"""The keys of this process, from the files that its configuration names."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from node.config.sections import Config, Role
from node.keystore.errors import KeyFileError
from node.keystore.key_file import KeyKind, open_key, open_seed, read_sealed
from node.keystore.password import find_password
from p2p.wire.identity import Identity
from primitives.keys import PrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnKeys:
    """What this process signs with.

    Attributes:
        peer: who the node is among its peers.
        account: pays for transactions and takes part in rounds; None: a node that only follows.
        consensus: signs blocks; None: a node that never has a seat.
    """

    peer: Identity
    account: PrivateKey | None
    consensus: PrivateKey | None

    @classmethod
    def open(
        cls, config: Config, *, environ: Mapping[str, str], ask: Callable[[], str] | None = None
    ) -> Self:
        """Open the keys that the roles of the node need.

        Raises:
            PasswordError: there is no password, or it is another.
            KeyFileError: a key file is missing, damaged or of another kind.
        """
        section, roles = config.keys, config.node.roles
        file = config.path(section.password_file) if section.password_file else None
        password = find_password(file=file, environ=environ, ask=ask)
        node_path = config.path(section.node)
        if read_sealed(node_path).kind is not KeyKind.NODE:
            raise KeyFileError("the node key belongs here", path=node_path)
        peer = Identity.from_seed(open_seed(node_path, password=password).reveal())
        account = consensus = None
        if section.account and (roles or config.path(section.account).exists()):
            path = config.path(section.account)
            account = open_key(path, password=password, kind=KeyKind.ACCOUNT)
        if Role.VALIDATOR in roles:
            path = config.path(section.consensus)
            consensus = open_key(path, password=password, kind=KeyKind.CONSENSUS)
        return cls(peer=peer, account=account, consensus=consensus)
