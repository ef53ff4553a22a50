"""What is certified, as it is stored: by number, by height, and the last of each epoch for ever."""

from bisect import bisect_left
from collections.abc import Callable

from node.chain.errors import StateDivergedError
from node.ledger.checkpoint import NO_CHECKPOINT, Certificate, Checkpoint, checkpoint_digest
from node.ledger.light_client import ChainLink
from node.storage.chain_tables import CERTIFICATES, CERTIFIED_HEIGHTS, EPOCH_LINKS
from node.storage.state_tables import INT64_MAX
from node.storage.transaction import Snapshot
from primitives.ids import Epoch, Height


def newest_certificate(snapshot: Snapshot, *, at_most: int = INT64_MAX) -> Certificate | None:
    """Return the last certificate at or below a height, None if there is none."""
    found = snapshot.scan_back(CERTIFIED_HEIGHTS, first=0, last=at_most)
    for _, number in found:
        return snapshot.get(CERTIFICATES, number)
    return None


def certificate_at(snapshot: Snapshot, height: Height) -> Certificate | None:
    """Return the certificate of the commit at a height, None if it has none here."""
    found = certificate_covering(snapshot, height)
    return found if found is not None and found.checkpoint.height == height else None


def certificate_numbered(snapshot: Snapshot, number: int) -> Certificate | None:
    """Return the certificate of a checkpoint, None if there is none, or none any more."""
    if number < 0:
        return None
    found = snapshot.get(CERTIFICATES, number)
    if found is not None:
        return found
    link = _first_link(snapshot, lambda checkpoint: checkpoint.number >= number)
    if link is None or link.certificate.checkpoint.number != number:
        return None
    return link.certificate


def certificate_covering(snapshot: Snapshot, height: Height) -> Certificate | None:
    """Return the first certificate at or above a height, None if there is none yet."""
    if height < 0:
        return None
    for _, number in snapshot.scan(CERTIFIED_HEIGHTS, first=height):
        found = snapshot.get(CERTIFICATES, number)
        break
    else:
        found = None
    link = _first_link(snapshot, lambda checkpoint: checkpoint.height >= height)
    if link is None:
        return found
    closing = link.certificate
    if found is None or closing.checkpoint.height < found.checkpoint.height:
        return closing
    return found


def link_of(snapshot: Snapshot, epoch: Epoch) -> ChainLink | None:
    """Return what closed an epoch, None if that is not certified here."""
    return snapshot.get(EPOCH_LINKS, epoch) if epoch >= 0 else None


def is_complete(link: ChainLink) -> bool:
    """Tell whether the seats that follow are known, as they are once the commit was executed."""
    return bool(link.next_seats)


def check_against_certificate(snapshot: Snapshot, height: Height, own: Checkpoint | None) -> None:
    """Compare what we computed at a height with what the committee certified there, if it did.

    Raises:
        StateDivergedError: they differ.
    """
    number = snapshot.get(CERTIFIED_HEIGHTS, height)
    certificate = None if number is None else snapshot.get(CERTIFICATES, number)
    if certificate is None or certificate.checkpoint == own:
        return
    certified = certificate.checkpoint
    expected, actual = certified.state_root, NO_CHECKPOINT if own is None else own.state_root
    if own is not None and expected == actual:
        expected, actual = checkpoint_digest(certified), checkpoint_digest(own)
    raise StateDivergedError(
        number=certified.number, height=height, expected=expected, actual=actual
    )


def _first_link(snapshot: Snapshot, reaches: Callable[[Checkpoint], bool]) -> ChainLink | None:
    """Return the first link whose checkpoint reaches what is looked for; they only rise."""
    first = next(iter(snapshot.scan_keys(EPOCH_LINKS)), None)
    if first is None:
        return None
    last = next(key for key, _ in snapshot.scan_back(EPOCH_LINKS, first=0, last=INT64_MAX))

    def reached(epoch: int) -> bool:
        link = snapshot.get(EPOCH_LINKS, epoch)
        return link is not None and reaches(link.certificate.checkpoint)

    place = bisect_left(range(first, last + 1), 1, key=reached)
    return snapshot.get(EPOCH_LINKS, first + place)
