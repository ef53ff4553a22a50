"""What a contract told, as it is shown: read page by page, as chains are long.

Guards: no state stays open from one page to the next, for its database could not grow meanwhile.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from node.chain.chain import GENESIS_HEIGHT, Chain
from node.rpc.rendering import Renderer
from node.rpc.schemas import PlacedEvent
from primitives.ids import Address, Height

if TYPE_CHECKING:
    from node.chain.index import EventPlace

PAGES_MAX: Final = 20
"""That one question reads: about a second."""
PAGE_EVENTS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some events in the order they were told.

    Args:
        end: where the next page begins, None if this one is empty.
        is_last: nothing follows it.
    """

    shown: tuple[PlacedEvent, ...]
    end: "EventPlace | None"
    is_last: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a contract told between two heights, both of them with it.

    Args:
        last: None for the head.
        names: of the events that are shown, None for all.
    """

    chain: Chain
    contract: Address
    first: Height = GENESIS_HEIGHT
    last: Height | None = None
    names: frozenset[str] | None = None
    page_events: int = PAGE_EVENTS

    def pages(self, after: "EventPlace | None" = None) -> Iterator[Page]:
        """Yield pages from a place on, at least one."""
        is_last = False
        while not is_last:
            found = self.chain.events(
                self.contract,
                first_height=self.first,
                last_height=self.last,
                after=after,
                limit=self.page_events,
            )
            is_last = len(found) < self.page_events
            with self.chain.view() as state:
                renderer = Renderer(state, self.chain.machine.library)
                shown = tuple(
                    renderer.placed(place)
                    for place in found
                    if self.names is None or place.event.name in self.names
                )
            after = found[-1] if found else None
            yield Page(shown=shown, end=after, is_last=is_last)
