"""One call of one contract while it runs: what it is, what it may use, and what it can reach."""

from node.vm.frame import Frame
from node.vm.host import Host
from node.vm.linked import LinkedModule
from node.vm.meter import Meter


class Run:
    """What every instruction of a call may need besides its operands."""

    __slots__ = ("frame", "host", "linked", "meter")

    def __init__(self, linked: LinkedModule, *, frame: Frame, host: Host, meter: Meter) -> None:
        self.linked = linked
        self.frame = frame
        self.host = host
        self.meter = meter
