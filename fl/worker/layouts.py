"""Refuse jobs whose layouts are not canonical, or do not suit how their factors are shared."""

from fl.jobs.subject import LoraLayout
from fl.jobs.work import AggregateJob
from fl.rules.aggregation.stacked import check_stackable
from fl.rules.update.errors import BadLayoutError
from fl.rules.update.layout import TensorLayout, check_layout
from fl.rules.update.parts import Part, part_of, partner_of
from fl.worker.errors import WrongJobError


def check_canonical(field: str, layout: TensorLayout) -> None:
    """Refuse a layout whose tensors are unsorted, named twice or too large.

    Raises:
        WrongJobError: it is not canonical; the message names the field and the tensor.
    """
    try:
        check_layout(layout)
    except BadLayoutError as error:
        raise WrongJobError(f"{field}: {error}") from error


def check_shared(job: AggregateJob) -> None:
    """Refuse layouts that are not canonical, or that another way of sharing factors has.

    Raises:
        WrongJobError: with STACK the factors are no pairs; with ALT or FFA both of a layer move,
            whose means are not the mean of what they do.
    """
    check_canonical("layout", job.layout)
    check_canonical("model_layout", job.model_layout)
    if job.sharing is LoraLayout.STACK:
        try:
            check_stackable(job.layout)
        except BadLayoutError as error:
            raise WrongJobError(f"layout: {error}") from error
    if job.sharing in {LoraLayout.ALT, LoraLayout.FFA}:
        names = {tensor.name for tensor in job.layout.tensors}
        for name in sorted(names):
            if part_of(name) is Part.FACTOR_B and partner_of(name) in names:
                raise WrongJobError(
                    f"layout: {name!r} and its A move at once, which {job.sharing.name} never does"
                )
