"""What a gossip simulation consists of; two equal values give equal traces."""

from typing import Final

import msgspec

from devnet.simulator.kernel.choices import UnknownChoiceError
from primitives.errors import ConfigurationError

SECOND_US: Final = 1_000_000
WARM_UP_US: Final = 3 * SECOND_US
"""Before the first message: connections open within one second, meshes settle after that."""
SETTLE_US: Final = 5 * SECOND_US
"""After the last message: what the mesh missed, gossip has to bring by then."""
SYBILS_PER_ECLIPSER: Final = 10
SYBIL_ADDRESSES: Final = 4
ATTACKS: Final = ("spam", "flood", "withhold", "eclipse")


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One network.

    Args:
        byzantine_permille: the share of the nodes that attack, evenly by kind.
        attacks: kinds of `ATTACKS`.
        latency: text for `parse_latency`.
        dials: connections that each node opens; it gets about as many from others.
        messages_per_s: of all honest nodes together.
        size_bytes: of each payload.
        flood_size_bytes_max: payloads up to this size go from their author to all its peers.
    """

    seed: int = 7
    nodes: int = 20
    seconds: int = 20
    byzantine_permille: int = 0
    attacks: tuple[str, ...] = ATTACKS
    latency: str = "lan"
    dials: int = 10
    messages_per_s: int = 2
    size_bytes: int = 1_024
    flood_size_bytes_max: int = 64 * 1024

    @property
    def attackers(self) -> dict[int, str]:
        """The Byzantine nodes, those with the highest numbers, and what each does."""
        count = self.nodes * self.byzantine_permille // 1000
        return {
            node: self.attacks[index % len(self.attacks)]
            for index, node in enumerate(range(self.nodes - count, self.nodes))
        }

    @property
    def replay(self) -> str:
        """The command that runs it again."""
        return (
            f"python -m devnet.simulator gossip --seed {self.seed} --nodes {self.nodes} "
            f"--seconds {self.seconds} --byzantine {self.byzantine_permille / 1000} "
            f"--attacks {','.join(self.attacks)} --latency {self.latency} --dials {self.dials} "
            f"--rate {self.messages_per_s} --size {self.size_bytes} "
            f"--flood-bytes {self.flood_size_bytes_max}"
        )


def check(scenario: Scenario) -> None:
    """Refuse a scenario that shows nothing.

    Raises:
        ConfigurationError: one line that says what would be right.
    """
    for attack in scenario.attacks:
        if attack not in ATTACKS:
            raise UnknownChoiceError("attack", attack, ATTACKS)
    if scenario.seconds * SECOND_US <= WARM_UP_US + SETTLE_US:
        shortest = (WARM_UP_US + SETTLE_US) // SECOND_US + 1
        raise ConfigurationError(f"give it at least {shortest} seconds")
    if not 0 <= scenario.byzantine_permille < 1000 or scenario.nodes < 2 or not scenario.attacks:
        raise ConfigurationError("there have to be two nodes, and not all of them Byzantine")
