"""The cells of the tables: what each is, what it found, and the file that remembers them.

A cell is done at most once: its line in the results file names it and the settings it was done
with, so an interrupted run goes on where it stopped and changed settings or rules begin anew.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import msgspec
import torch
from rich.console import Console
from rich.progress import track

import benchmarks.poisoning
import devnet.attacks.poisoning
import fl.rules
import fl.training.scoring
from benchmarks.lines import append_line
from benchmarks.poisoning.activations import Source, open_corpus
from benchmarks.poisoning.federation import (
    Defence,
    FedAvg,
    Federation,
    Geometry,
    backdoor_success,
    run,
)
from benchmarks.poisoning.field import Corpus, Setting
from benchmarks.poisoning.quality import Panel, Quality
from devnet.attacks.poisoning.catalogue import attack_named
from devnet.attacks.poisoning.validators import Kind
from fl.rules.aggregation.rule import Rule
from fl.rules.effects import Outcome
from primitives.hashing import sha256

FEDAVG: Final = "fedavg"
POQ: Final = "poq"
PROBED: Final = "probed"
"""Proof of Quality in a task whose validators hold texts with triggers as well."""

_CODE: Final = (benchmarks.poisoning, devnet.attacks.poisoning, fl.rules, fl.training.scoring)
"""What decides a cell, besides its settings."""

RULES: Final = (*(rule.value for rule in Rule), POQ, PROBED)


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One federation.

    Args:
        rule: of `RULES`, or FEDAVG for the peer without attack.
        percent: of the trainers attack.
        rounds: 0: as many as the setting has.
        validators: how many there are, of which `liars` lie and `silent` reveal no scores.
    """

    attack: str
    rule: str
    percent: int
    seed: int
    rounds: int = 0
    validators: int = 7
    liars: int = 2
    lie: str = Kind.INVERTED.value
    silent: int = 0


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a cell gave.

    Args:
        setting: which settings it was done with.
        accuracy: of the last model on the test.
        backdoor: share of triggered texts that the last model calls the target.
        nulls: rounds that changed nothing.
        attacker_pay: grains that all attackers earned.
        honest_pay: grains that the mean honest trainer earned.
        attacker_scores: consensus scores of the attackers in the first round.
        honest_scores: of everybody else.
        refusals: how often updates of attackers were refused, by reason.
    """

    cell: Cell
    setting: str
    accuracy: float
    backdoor: float
    nulls: int = 0
    attacker_pay: int = 0
    honest_pay: float = 0.0
    attacker_scores: tuple[int, ...] = ()
    honest_scores: tuple[int, ...] = ()
    refusals: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class Plan:
    """What is common to all cells of a run."""

    source: Source
    setting: Setting
    quality: Quality

    @property
    def fingerprint(self) -> str:
        """Name the settings, the texts and the code, but not where activations are kept."""
        source = (self.source.spec, self.source.model, self.source.texts, self.source.trigger)
        settings = (source, asdict(self.setting), asdict(self.quality), _code())
        return sha256(repr(settings).encode()).hex()[:12]


def _code() -> str:
    """Return a hash of all modules that decide what a cell gives."""
    places = (Path(place) for package in _CODE for place in package.__path__)
    files = sorted(file for place in places for file in place.rglob("*.py"))
    return sha256(b"".join(sha256(file.read_bytes()) for file in files)).hex()


class ResultsFile:
    """Lines of JSON, one for each finished cell; other settings' lines are left alone."""

    def __init__(self, path: Path | None, *, setting: str) -> None:
        self._path = path
        self._setting = setting

    def read(self) -> dict[Cell, Found]:
        """Return what is there for these settings; a line that was cut off is passed over."""
        if self._path is None or not self._path.exists():
            return {}
        found = [one for line in self._path.read_bytes().splitlines() for one in _parsed(line)]
        return {one.cell: one for one in found if one.setting == self._setting}

    def append(self, found: Found) -> None:
        """Add a line."""
        if self._path is not None:
            append_line(self._path, msgspec.json.encode(found))


def run_cells(
    cells: Iterable[Cell], plan: Plan, *, results: Path | None, jobs: int
) -> dict[Cell, Found]:
    """Return what every cell gave, doing those that are not in the file."""
    file = ResultsFile(results, setting=plan.fingerprint)
    done = file.read()
    left = [cell for cell in dict.fromkeys(cells) if cell not in done]
    # Before the workers start, or each of them would encode the texts.
    opened(plan.source)
    for found in track(
        _each(left, plan, jobs=jobs),
        description="federations",
        total=len(left),
        console=Console(stderr=True),
    ):
        file.append(found)
        done[found.cell] = found
    return done


def run_cell(cell: Cell, plan: Plan) -> Found:
    """Play one federation."""
    torch.set_num_threads(1)
    corpus = opened(plan.source)
    setting = replace(
        plan.setting,
        rounds=cell.rounds or plan.setting.rounds,
        validators=cell.validators,
    )
    attackers = round(cell.percent * setting.trainers / 100)
    federation = Federation.open(
        corpus, setting, attack=attack_named(cell.attack), attackers=attackers, seed=cell.seed
    )
    defence = _defence(cell, federation, plan)
    run(federation, defence)
    found = Found(
        cell=cell,
        setting=plan.fingerprint,
        accuracy=federation.accuracies[-1],
        backdoor=backdoor_success(federation),
    )
    return _with_chain(found, defence, attackers) if isinstance(defence, Panel) else found


@lru_cache(maxsize=1)
def opened(source: Source) -> Corpus:
    """Return the activations, once for each worker."""
    return open_corpus(source)


def _defence(cell: Cell, federation: Federation, plan: Plan) -> Defence:
    if cell.rule == FEDAVG:
        return FedAvg()
    if cell.rule not in (POQ, PROBED):
        return Geometry(Rule(cell.rule))
    quality = replace(
        plan.quality,
        probes=cell.rule == PROBED,
        liars=cell.liars,
        lie=Kind(cell.lie),
        silent=cell.silent,
    )
    return Panel.seat(federation, quality)


def _with_chain(found: Found, panel: Panel, attackers: int) -> Found:
    court, first = panel.court, panel.scores[0] if panel.scores else {}
    honest = range(attackers, court.trainers)
    pay = [court.earned(trainer) for trainer in honest]
    reasons = [reason.value for who in range(attackers) for reason in court.reasons(who)]
    return msgspec.structs.replace(
        found,
        nulls=panel.outcomes.count(Outcome.NULL),
        attacker_pay=sum(court.earned(trainer) for trainer in range(attackers)),
        honest_pay=sum(pay) / max(1, len(pay)),
        attacker_scores=tuple(score for who, score in first.items() if who < attackers),
        honest_scores=tuple(score for who, score in first.items() if who >= attackers),
        refusals={reason: reasons.count(reason) for reason in dict.fromkeys(reasons)},
    )


def _each(cells: Sequence[Cell], plan: Plan, *, jobs: int) -> Iterator[Found]:
    if jobs == 1:
        yield from (run_cell(cell, plan) for cell in cells)
        return
    # A forked copy of a process with torch in it may hang.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(run_cell, cell, plan) for cell in cells]):
            yield future.result()


def _parsed(line: bytes) -> Iterator[Found]:
    try:
        yield msgspec.json.decode(line, type=Found)
    except msgspec.MsgspecError:
        return
