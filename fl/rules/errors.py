"""Why the rules of federated rounds refuse a call."""

import enum
from typing import ClassVar

from primitives.errors import InvalidTransactionError


@enum.unique
class Rule(enum.Enum):
    """The closed list of rules that a call can break; the value is what people read.

    The contract on chain uses the same texts, so that both refuse a call with the same words.
    """

    NO_TASK = "no such task"
    TASK_CLOSED = "the task is closed"
    BAD_TERMS = "the terms are out of bounds"
    NO_MONEY_WANTED = "this call takes no money"
    NO_MONEY = "no money was sent"
    NOT_SPONSOR = "only the sponsor may"
    ROUND_RUNNING = "a round is running"
    UNFUNDED = "the escrow does not cover a reward"
    NO_COMMITTEE = "there is no committee"
    NO_ROUND = "no round is running"
    WRONG_PHASE = "not in this phase"
    PHASE_OVER = "the phase is over"
    BAD_HASH = "a hash or salt is not 32 bytes"
    WRONG_BOND = "the value is not the bond"
    NOT_REGISTERED = "the sender is not registered"
    QUARANTINED = "the sender is quarantined"
    ALREADY = "already given"
    FULL = "the round is full"
    NO_UPDATE = "the sender committed no update"
    WRONG_OPENING = "this does not open the commitment"
    NOT_SEATED = "the sender has no seat in this round"
    BAD_HOLDINGS = "not a new set of revealed updates"
    NO_SCORE_COMMITMENT = "the sender committed no scores"
    BAD_SCORECARD = "the scorecard does not fit the updates"
    BAD_REPORT = "the report does not fit the guard"
    BAD_STEPS = "the number of steps is out of bounds"
    NOT_YET = "nothing to advance yet"
    NOTHING_VESTED = "nothing has vested"


class RefusedCallError(InvalidTransactionError):
    """Refuse a call of a task or a round; nothing changes and its money goes back.

    Args:
        rule: the rule that it broke.
    """

    code: ClassVar[str] = "round_call_refused"

    def __init__(self, rule: Rule) -> None:
        super().__init__(rule.value)
        self.rule = rule


def require(is_met: object, rule: Rule) -> None:
    """Refuse the call unless the condition holds.

    Raises:
        RefusedCallError: it does not.
    """
    if not is_met:
        raise RefusedCallError(rule)
