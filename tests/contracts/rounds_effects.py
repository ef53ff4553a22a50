"""What the events of the contract `rounds` say, in the words of its reference."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from fl.rules import effects
from fl.rules.effects import Effect, Outcome, Purpose, Reason
from fl.rules.phase import Phase
from fl.rules.reputation import Fault
from node.vm.abi import PythonValue

KINDS: Final[Mapping[str, type[Effect]]] = MappingProxyType(
    {
        "Paid": effects.Pay,
        "Burned": effects.Burn,
        "SlashRequested": effects.SlashRequest,
        "TaskCreated": effects.TaskCreated,
        "TaskFunded": effects.TaskFunded,
        "TaskClosed": effects.TaskClosed,
        "RoundOpened": effects.RoundOpened,
        "PhaseEntered": effects.PhaseEntered,
        "UpdateCommitted": effects.UpdateCommitted,
        "UpdateRevealed": effects.UpdateRevealed,
        "Anomaly": effects.Anomaly,
        "AggregateSelected": effects.AggregateSelected,
        "ModelCommitted": effects.ModelCommitted,
        "RoundEnded": effects.RoundEnded,
    }
)
WORDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "phase": tuple(one.value for one in Phase),
        "reason": ("", *(one.value for one in Reason)),
        "fault": ("", *(one.value for one in Fault)),
        "purpose": ("", *(one.value for one in Purpose)),
        "outcome": ("", *(one.value for one in Outcome)),
    }
)
"""By field: the words in the order of their numbers; only phases begin at 0."""


def effect_of(name: str, fields: Mapping[str, PythonValue]) -> Effect:
    """Return the effect that an event tells of."""
    spoken = {field: _word(field, value) for field, value in fields.items()}
    return msgspec.convert(spoken, type=KINDS[name])


def _word(field: str, value: PythonValue) -> PythonValue:
    if field not in WORDS:
        return value
    assert isinstance(value, int)
    return WORDS[field][value]
