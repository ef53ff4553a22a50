"""What attackers tell each other: a folder in which each puts what honest training gave it."""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

RING_MAX: Final = 100


class Ring:
    """The attackers that share a folder; without one an attacker is alone.

    Args:
        folder: shared, or None.
        trainers: how many trainers, honest ones included, the attackers reckon with.
        attackers: how many of them are attackers.
        number: of this one among them, from 0.
    """

    def __init__(
        self, folder: Path | None, *, trainers: int, attackers: int = 1, number: int = 0
    ) -> None:
        self._folder = folder
        self.trainers = trainers
        self.attackers = attackers
        self.number = number
        self._name = f"{number}.npy"

    def share(self, own: NDArray[np.float64], *, round_number: int) -> NDArray[np.float64]:
        """Return what the attackers have of this round so far, (attacker, coordinate).

        The own is among them; who comes later sees more, and nobody waits. In the order in which
        they came, so that the first is the same for all: what it has, all can share.
        """
        if self._folder is None:
            return own[None]
        folder = self._folder / f"round-{round_number}"
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f"{self._name}.part"
        with part.open("wb") as file:
            np.save(file, own)
        part.replace(folder / self._name)
        places = sorted(folder.glob("*.npy"), key=_came_at)[:RING_MAX]
        return np.stack([np.load(place, allow_pickle=False) for place in places])

    def admit(self, root: str) -> None:
        """Let liars among validators know a friend's update, by its content id in hex."""
        if self._folder is not None:
            friends = self._folder / "friends"
            friends.mkdir(parents=True, exist_ok=True)
            (friends / root).touch()

    def roots(self) -> frozenset[str]:
        """Return the content ids of all updates of friends so far."""
        if self._folder is None or not (self._folder / "friends").is_dir():
            return frozenset()
        return frozenset(place.name for place in (self._folder / "friends").iterdir())


def _came_at(place: Path) -> tuple[int, str]:
    return place.stat().st_mtime_ns, place.name
