"""Why a local network cannot be had.

HanseError (primitives.errors)
  ConfigurationError
    PlanError
  DevnetError
    NoDevnetError, DevnetRunsError, NodeDiedError, NotReadyError, ChildFailedError, DivergedError
"""

from typing import ClassVar

from primitives.errors import ConfigurationError, HanseError


class PlanError(ConfigurationError):
    """Refuse a network that cannot be; the message says what to change."""

    code: ClassVar[str] = "devnet_plan"


class DevnetError(HanseError):
    """Stand for what goes wrong with a network that was planned well."""

    code: ClassVar[str] = "devnet"


class NoDevnetError(DevnetError):
    """There is no network in the folder, or no such node in it."""

    code: ClassVar[str] = "devnet_none"


class DevnetRunsError(DevnetError):
    """A network runs in the folder already."""

    code: ClassVar[str] = "devnet_runs"


class NodeDiedError(DevnetError):
    """A node ended by itself."""

    code: ClassVar[str] = "devnet_node_died"


class NotReadyError(DevnetError):
    """Something did not come about in time."""

    code: ClassVar[str] = "devnet_not_ready"


class ChildFailedError(DevnetError):
    """A child that divides examples or examines models ended badly."""

    code: ClassVar[str] = "devnet_child"


class DivergedError(DevnetError):
    """Two nodes have different states at one height; this must never happen."""

    code: ClassVar[str] = "devnet_diverged"
