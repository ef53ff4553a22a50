"""What is known of one round: its events, the terms of its task, and what this node saw; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fl.rules.phase import Phase
from node.federation.sights import Running
from node.federation.states import TermsState
from node.rpc.round_record import RoundRecord
from node.rpc.round_schemas import RoundHistory
from node.rpc.schemas import Json, PlacedEvent

_SELECTED: Final = (Phase.AGGREGATE, Phase.GUARD, Phase.SETTLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known of one round.

    Args:
        record: what this node saw, None if it did not look.
        told: what was paid and burned for the task while the round ran.
        is_told_whole: nothing of it is missing.
        guard_names: of the measures, as many as bounds.
    """

    history: RoundHistory
    record: RoundRecord | None
    terms: TermsState
    told: Sequence[PlacedEvent]
    is_told_whole: bool
    guard_names: tuple[str, ...]

    def named(self, name: str) -> list[Mapping[str, Json]]:
        """Return the fields of the round's events of one name."""
        return [one.event.fields for one in self.history.events if one.event.name == name]

    @property
    def numbers(self) -> Running | None:
        """Return the round as it was last seen running."""
        return None if self.record is None else self.record.numbers

    @property
    def is_selected(self) -> bool:
        """Tell whether threshold and median were set when the round was last seen."""
        numbers = self.numbers
        return numbers is not None and (numbers.rung > 0 or numbers.is_in in _SELECTED)

    @property
    def is_scored(self) -> bool:
        """Tell whether an update was ever judged."""
        return self.record is not None and any(one.is_judged for one in self.record.updates)
