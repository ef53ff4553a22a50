"""How much of the past a chain keeps, and how much of it one commit takes away."""

from dataclasses import dataclass, field
from typing import Final

from node.storage.environment import DEFAULT_LIMITS as DEFAULT_MAP
from node.storage.environment import MapLimits
from primitives.errors import ConfigurationError

KEPT_EPOCHS_MIN: Final = 2
"""Consensus serves the running epoch and the one before it."""

KEPT_VERSIONS_MIN: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainLimits:
    """What the operator configures about the chain.

    Args:
        kept_versions: states that stay readable, at least 2.
        kept_history: how many commits keep their receipts, events and place in the index of
            transactions, at least 1; None for all.
        kept_epochs: epochs whose blocks and commits stay, the running one included, at least 2.
        disk_retry_ms: how long to wait before writing again while the disk is nearly full.
        map: size of the database in address space, and what it leaves free on the disk.

    Raises:
        ConfigurationError: one of them is out of its range.
    """

    kept_versions: int = 128
    kept_history: int | None = None
    kept_epochs: int = KEPT_EPOCHS_MIN
    disk_retry_ms: int = 1_000
    map: MapLimits = field(default=DEFAULT_MAP)

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.kept_versions < KEPT_VERSIONS_MIN:
            raise ConfigurationError(f"kept_versions must be at least {KEPT_VERSIONS_MIN}")
        if self.kept_history is not None and self.kept_history < 1:
            raise ConfigurationError("kept_history must be at least 1")
        if self.kept_epochs < KEPT_EPOCHS_MIN:
            raise ConfigurationError(f"kept_epochs must be at least {KEPT_EPOCHS_MIN}")


DEFAULT_LIMITS: Final = ChainLimits()
