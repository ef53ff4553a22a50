"""Turn channels into connections, and give up the handshakes under way when the host ends."""

from collections.abc import Callable
from typing import Final

from p2p.channel import Channel
from p2p.connection import Connection
from p2p.dice import Dice
from p2p.errors import ConnectionLostError, DialError
from p2p.limits import Limits, TimeLimits
from p2p.noise.handshake import NoiseKeys
from p2p.upgrade import Upgrade
from p2p.usage import UsageTable
from p2p.wire.identity import Identity
from p2p.wire.peer_id import PeerId
from p2p.wire.role import Role
from primitives.clock import Clock
from primitives.errors import HanseError

_KEY_SIZE_BYTES: Final = 32


class Upgrader:
    """Make connections."""

    def __init__(
        self,
        identity: Identity,
        *,
        clock: Clock,
        dice: Dice,
        limits: Limits,
        times: TimeLimits,
        usages: UsageTable,
    ) -> None:
        self._identity = identity
        self._clock = clock
        self._dice = dice
        self._limits = limits
        self._times = times
        self._usages = usages
        self._under_way: set[Connection] = set()
        self._is_over = False

    async def upgrade(
        self,
        channel: Channel,
        role: Role,
        *,
        expected: PeerId | None = None,
        check: Callable[[PeerId], None],
    ) -> Connection:
        """Run the handshake of a channel and return the connection; a failure ends the channel.

        Args:
            channel: open and not started.
            role: whether we dialled.
            expected: the only peer that may be at the other end; None for any.
            check: raises a `PeerError` if the peer, whose identity is proven, is not welcome.

        Raises:
            PeerError: it failed, the peer is not welcome, or we are going down.
        """
        connection = self._connection(channel, role, expected)
        self._under_way.add(connection)
        try:
            self._check_not_over(channel)
            await connection.upgrade()
            self._check_not_over(channel)
            check(connection.peer_id)
        except BaseException as error:
            reason = error if isinstance(error, HanseError) else None
            connection.abort(reason or ConnectionLostError("given up", peer=str(channel.remote)))
            raise
        finally:
            self._under_way.discard(connection)
        return connection

    def close(self) -> None:
        """Give up every handshake under way, and all that would follow."""
        self._is_over = True
        for connection in tuple(self._under_way):
            remote = str(connection.remote)
            connection.abort(ConnectionLostError("we are going down", peer=remote))

    def _check_not_over(self, channel: Channel) -> None:
        if self._is_over:
            raise DialError("we are going down", peer=str(channel.remote))

    def _connection(self, channel: Channel, role: Role, expected: PeerId | None) -> Connection:
        keys = NoiseKeys(
            static=self._dice.randbytes(_KEY_SIZE_BYTES),
            ephemeral=self._dice.randbytes(_KEY_SIZE_BYTES),
        )
        upgrade = Upgrade(
            role=role,
            identity=self._identity,
            keys=keys,
            expected=expected,
            peer=str(channel.remote),
        )
        return Connection(
            channel,
            upgrade=upgrade,
            clock=self._clock,
            limits=self._limits,
            times=self._times,
            usages=self._usages,
        )
