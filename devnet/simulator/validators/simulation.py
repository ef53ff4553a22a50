"""One run: build the network, let the nemesis rage, heal, demand liveness, and report."""

import gc
import time
import traceback

import msgspec

from consensus.committee import EpochContext
from consensus.events import Effect
from consensus.pacemaker import Pacemaker
from consensus.parameters import Parameters, Tuning
from devnet.attacks.catalogue import attacker, parse_byzantine
from devnet.attacks.jumper import JumpingPacemaker
from devnet.simulator.kernel.clocks import NodeClock
from devnet.simulator.kernel.disk import Disk
from devnet.simulator.kernel.faults import FaultKind, draw_plan, draw_swarm, parse_faults
from devnet.simulator.kernel.latency import parse_latency
from devnet.simulator.kernel.machine import Machine
from devnet.simulator.kernel.machine_strikes import CasualtyLimits
from devnet.simulator.kernel.nemesis import Nemesis
from devnet.simulator.kernel.network import Network
from devnet.simulator.kernel.network_faults import flip_bit
from devnet.simulator.kernel.scheduler import Scheduler, TieOrder
from devnet.simulator.validators.genesis import Genesis, draw_powers
from devnet.simulator.validators.ledger import Ledger, ViolationError
from devnet.simulator.validators.report import Report, measure
from devnet.simulator.validators.store import SimulatedJournal
from devnet.simulator.validators.validator import FromPeer, NodeInput, Validator, submit_payload
from devnet.simulator.validators.wire import Wire
from devnet.simulator.validators.world import MakePacemaker, World
from primitives.errors import ConfigurationError
from primitives.ids import AuthorityIndex, Epoch

SECOND_US = 1_000_000
WATCH_US = 1_000_000
HEALED_SHARE = (2, 3)
"""The safety phase is the first two thirds of a run, the liveness phase the rest."""


def _jumping(own: AuthorityIndex, context: EpochContext, tuning: Tuning) -> Pacemaker:
    return JumpingPacemaker(context.committee, tuning)


PACEMAKERS: dict[str, MakePacemaker | None] = {"repaired": None, "jumping": _jumping}


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """What to simulate; two equal values give equal traces.

    Args:
        faults: names for `parse_faults`; `swarm` is a random half of all of them.
        byzantine: `kind:count` pairs for `parse_byzantine`; `swarm` draws up to f.
        latency: text for `parse_latency`.
        powers: `equal` or `uneven`.
        pacemaker: `repaired`, or `jumping` for the honest nodes to run without the repair.
        payload_per_s: items that every node's client submits each second.
    """

    seed: int = 7
    nodes: int = 4
    seconds: int = 60
    faults: str = "none"
    byzantine: str = ""
    latency: str = "lan"
    powers: str = "equal"
    pacemaker: str = "repaired"
    payload_per_s: int = 2
    epoch_s: int | None = None
    parameters: Parameters = Parameters(schedule_window=10, gc_depth=60)
    tuning: Tuning = Tuning()
    is_swarm: bool = False
    """Whether `swarm.draw_scenario` drew it, so that the seed alone replays it."""


class Simulation:
    """A network of validators under virtual time."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.scheduler = Scheduler(
            scenario.seed,
            tie_order=TieOrder.FIFO if scenario.faults == "none" else TieOrder.SHUFFLED,
        )
        powers = draw_powers(scenario.powers, scenario.nodes)
        rng = self.scheduler.rng("byzantine")
        budget = _faulty_count_max(powers)
        kinds = parse_byzantine(scenario.byzantine, count_max=budget, rng=rng)
        if len(kinds) >= scenario.nodes:
            raise ConfigurationError(
                f"{len(kinds)} Byzantine of {scenario.nodes} nodes; at least one must be honest"
            )
        self.attackers = dict(
            zip(range(scenario.nodes - len(kinds), scenario.nodes), kinds, strict=True)
        )
        self.honest = tuple(n for n in range(scenario.nodes) if n not in self.attackers)
        epoch_ms = None if scenario.epoch_s is None else scenario.epoch_s * 1000
        self.heal_at_us = scenario.seconds * SECOND_US * HEALED_SHARE[0] // HEALED_SHARE[1]
        self.ledger = Ledger(self.scheduler, honest=self.honest)
        self.world = World(
            self.scheduler,
            genesis=Genesis(
                scenario.seed, powers=powers, parameters=scenario.parameters, epoch_ms=epoch_ms
            ),
            tuning=scenario.tuning,
            ledger=self.ledger,
            wire=Wire(self.ledger.note_block),
        )
        self.network: Network[bytes] = Network(
            self.scheduler,
            parse_latency(scenario.latency),
            self._deliver,
            corrupt=flip_bit,
            digest=_message_digest,
        )
        # Known from the start, so that what was sent before healing is bounded too.
        self.network.gst_us = self.heal_at_us
        self.world.network = self.network
        self.world.make_pacemaker = PACEMAKERS[scenario.pacemaker]
        self.validators: dict[int, Validator] = {}
        self.machines = [self._machine(node) for node in range(scenario.nodes)]
        self.nemesis = self._nemesis(budget - len(kinds))

    def run(self) -> Report:
        """Run to the end, or to the first violation."""
        started = time.process_time()
        violation = None
        was_collecting = gc.isenabled()
        gc.disable()
        try:
            self._start()
            self.scheduler.run_until(self.scenario.seconds * SECOND_US)
        except ViolationError as error:
            violation = str(error)
        except Exception as error:  # noqa: BLE001 - whatever escapes a node is a finding
            traceback.print_exc()
            violation = f"a node crashed: {type(error).__name__}: {error}"
        finally:
            if was_collecting:
                gc.enable()
        return measure(self, violation=violation, wall_s=time.process_time() - started)

    def _start(self) -> None:
        for machine in self.machines:
            journal = SimulatedJournal(machine.disk, Epoch(0))
            journal.create()
        for machine in self.machines:
            machine.start()
        self.nemesis.start()
        self.scheduler.after(WATCH_US, self._watch)

    def _machine(self, node: int) -> Machine[NodeInput, Effect]:
        rng = self.scheduler.rng(f"node.{node}")

        def install(machine: Machine[NodeInput, Effect]) -> Validator:
            kind = self.attackers.get(node)
            validator = (
                Validator(machine, self.world)
                if kind is None
                else attacker(kind, machine, self.world)
            )
            self.validators[node] = validator
            return validator

        return Machine(
            node,
            self.scheduler,
            install,
            disk=Disk(self.scheduler, rng),
            clock=NodeClock(self.scheduler.rng(f"node.{node}.clock")),
        )

    def _nemesis(self, spare: int) -> Nemesis:
        scenario = self.scenario
        if scenario.faults == "swarm":
            plan = draw_swarm(parse_faults("all"), self.scheduler.rng)
        else:
            plan = draw_plan(parse_faults(scenario.faults), self.scheduler.rng)
        self.ledger.is_corrupting = FaultKind.CORRUPTION in plan.kinds
        self.plan = plan
        return Nemesis(
            self.scheduler,
            self.network,
            [self.machines[node] for node in self.honest],
            plan,
            heal_at_us=self.heal_at_us,
            limits=CasualtyLimits(down_max=len(self.honest), amnesiacs_max=max(0, spare)),
        )

    def _deliver(self, source: int, target: int, raw: bytes) -> bool:
        return self.machines[target].receive(FromPeer(AuthorityIndex(source), raw))

    def _watch(self) -> None:
        """Once a simulated second: let clients submit, check the memory bounds."""
        now_us = self.scheduler.now_us
        for node in self.honest:
            machine = self.machines[node]
            if not machine.is_up:
                continue
            workload = self.ledger.workload
            items = workload.due(node, now_us)
            if now_us < self.heal_at_us + SECOND_US:
                items += tuple(
                    workload.create(node, now_us) for _ in range(self.scenario.payload_per_s)
                )
            if items:
                machine.submit(submit_payload(items))
            self._check_bounds(node)
        self.scheduler.after(WATCH_US, self._watch)

    def _check_bounds(self, node: int) -> None:
        tuning, parameters = self.scenario.tuning, self.scenario.parameters
        size = self.scenario.nodes
        for instance in self.validators[node].epochs:
            memory = instance.core.memory
            bounds = {
                "suspended": size * tuning.suspended_per_author_max,
                "wanted": size * tuning.missing_per_author_max,
                "vertices": 4 * size * (3 * parameters.gc_depth + tuning.round_margin),
            }
            for name, bound in bounds.items():
                if memory[name] > bound:
                    raise ViolationError(f"node {node}: {memory[name]} {name}, bound {bound}")


def _faulty_count_max(powers: tuple[int, ...]) -> int:
    """Return how many validators, the heaviest ones, may fail together within f."""
    faulty_power_max = (sum(powers) - 1) // 3
    count = 0
    for power in sorted(powers, reverse=True):
        faulty_power_max -= power
        if faulty_power_max < 0:
            break
        count += 1
    return count


def _message_digest(raw: bytes) -> bytes:
    """Identify a message in the trace by its size and its last bytes (often a signature)."""
    return len(raw).to_bytes(4, "little") + raw[-24:]
