"""Divide examples among organisations; every example goes to exactly one of them.

All draws come from seeds through NumPy's `RandomState`, whose streams are frozen (NEP 19), or from
SHA-256, so that a division is the same on every machine and with every later NumPy.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fl.training.examples.shuffle import permutation


def iid(count: int, *, clients: int, seed: int) -> list[list[int]]:
    """Deal the examples 0..count-1 at random into parts whose sizes differ by at most one."""
    _require_enough(count, clients=clients, each=1)
    order = permutation(count, seed=seed)
    return [sorted(order[client::clients]) for client in range(clients)]


def dirichlet(
    labels: Sequence[int] | NDArray[np.int64],
    *,
    clients: int,
    alpha: float,
    seed: int,
    examples_min: int = 1,
) -> list[list[int]]:
    """Divide each class among the clients in proportions drawn from a symmetric Dirichlet.

    A small alpha gives each class to few clients, a large one spreads it evenly. A client that
    would get less than `examples_min` examples takes the rest from whoever holds most, so the draw
    always succeeds, at the price of a little less skew.

    Args:
        labels: the class of each example.
        clients: how many parts to make.
        alpha: the concentration, above 0.
        seed: 0..2^32-1.
        examples_min: the least size of a part.

    Raises:
        ValueError: there are not enough examples, or alpha is not above 0.

    Source: Hsu, Qi and Brown 2019, arXiv:1909.06335; the draw by class follows Yurochkin et al.
    2019, arXiv:1905.12022.
    """
    if not alpha > 0:
        raise ValueError(f"alpha must be above 0, not {alpha}")
    known = np.asarray(labels, dtype=np.int64)
    _require_enough(len(known), clients=clients, each=examples_min)
    dice = np.random.RandomState(seed)
    parts: list[list[int]] = [[] for _ in range(clients)]
    for label in np.unique(known):
        members = dice.permutation(np.flatnonzero(known == label))
        shares = _draw_shares(dice, clients=clients, alpha=alpha)
        cuts = np.rint(np.cumsum(shares)[:-1] * len(members)).astype(np.int64)
        for part, chosen in zip(parts, np.split(members, cuts), strict=True):
            part.extend(chosen.tolist())
    _top_up(parts, examples_min=examples_min)
    return [sorted(part) for part in parts]


def by_group(keys: Sequence[str], *, clients: int) -> list[list[int]]:
    """Give whole groups to clients: the largest group first, each to whoever holds least.

    Ties go to the group whose name sorts first and to the client with the lower number.

    Raises:
        ValueError: there are fewer groups than clients.
    """
    members: dict[str, list[int]] = {}
    for index, key in enumerate(keys):
        members.setdefault(key, []).append(index)
    if len(members) < clients:
        raise ValueError(f"{len(members)} groups cannot be given to {clients} clients")
    parts: list[list[int]] = [[] for _ in range(clients)]
    for _, group in sorted(members.items(), key=lambda row: (-len(row[1]), row[0])):
        min(parts, key=len).extend(group)
    return [sorted(part) for part in parts]


def _draw_shares(dice: np.random.RandomState, *, clients: int, alpha: float) -> NDArray[np.float64]:
    """Draw (clients,) float64 shares that sum to 1."""
    shares: NDArray[np.float64] = dice.dirichlet([alpha] * clients)
    if np.isfinite(shares).all():
        return shares
    # Below an alpha of about 0.001 all weights may be too small to be told from 0. In the limit
    # one client gets the whole class.
    one_takes_all = np.zeros(clients)
    one_takes_all[dice.randint(clients)] = 1
    return one_takes_all


def _require_enough(count: int, *, clients: int, each: int) -> None:
    if clients < 1:
        raise ValueError(f"there must be at least one client, not {clients}")
    if count < clients * each:
        raise ValueError(f"{count} examples cannot give {clients} clients {each} each")


def _top_up(parts: list[list[int]], *, examples_min: int) -> None:
    for part in parts:
        while len(part) < examples_min:
            part.append(max(parts, key=len).pop())
