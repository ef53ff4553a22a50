"""Takes certificates in: verified by the seats of their epoch, durable before anybody is told.

Guards: a certificate that contradicts what this node executed stops the node, whichever of the two
came first; the last certificate of an epoch stays for ever, together with the seats that it puts in
place, for light clients walk along these. May be used from any thread.
"""

import enum
from typing import Final

from node.chain.certified import (
    certificate_numbered,
    check_against_certificate,
    is_complete,
    link_of,
    newest_certificate,
)
from node.chain.committees import Committees, members_in
from node.chain.errors import CommitteeUnknownError
from node.chain.record import COMMIT_RECORD_CODEC
from node.ledger.checkpoint import Certificate, verify_certificate
from node.ledger.committee import Seats
from node.ledger.errors import CheckpointFormatError
from node.ledger.genesis import Genesis, first_committee
from node.ledger.light_client import CHAIN_FILE_CODEC, CertificateChain, ChainLink, LightClient
from node.ledger.staking.queries import seats_of
from node.storage.batch import WriteBatch
from node.storage.chain_tables import CERTIFICATES, CERTIFIED_HEIGHTS, EPOCH_LINKS
from node.storage.environment import Environment
from node.storage.history import record_at
from node.storage.state_store import StateStore
from node.storage.transaction import Snapshot
from primitives.errors import MalformedBytesError
from primitives.ids import ChainId, Epoch

LINKS_WRITTEN_MAX: Final = 256
"""In one write; a link of a large committee is some 15 kB."""


class Trust(enum.Enum):
    """Whether the signatures of a certificate were checked."""

    VERIFIED = "verified"
    """Vote by vote, when this node collected them."""

    UNVERIFIED = "unverified"


class Certificates:
    """The certificates of a chain."""

    def __init__(
        self,
        environment: Environment,
        store: StateStore,
        *,
        chain_id: ChainId,
        genesis: Genesis,
        committees: Committees,
    ) -> None:
        self._environment = environment
        self._store = store
        self._chain_id = chain_id
        self._genesis = genesis
        self._committees = committees

    def newest(self) -> Certificate | None:
        """Return the newest certificate, None if there is none."""
        with self._environment.snapshot() as snapshot:
            return newest_certificate(snapshot)

    def is_known(self, certificate: Certificate) -> bool:
        """Tell whether one of the same checkpoint is stored; the signers may be others."""
        with self._environment.snapshot() as snapshot:
            known = certificate_numbered(snapshot, certificate.checkpoint.number)
        return known is not None and known.checkpoint == certificate.checkpoint

    def verify(self, certificate: Certificate) -> None:
        """Check that the committee of its epoch signed it.

        Raises:
            InvalidCheckpointError: it did not.
            CommitteeUnknownError: the committee is not known here.
        """
        epoch = certificate.checkpoint.epoch
        seats = self.seats_of(epoch)
        verify_certificate(certificate, chain_id=self._chain_id, epoch=epoch, seats=seats)

    def seats_of(self, epoch: Epoch) -> Seats:
        """Return the seats of an epoch.

        Raises:
            CommitteeUnknownError: they are not known here.
        """
        members = self._committees.known_members(epoch)
        if members is not None:
            return seats_of(members)
        if epoch == 0:
            return first_committee(self._genesis)
        with self._environment.snapshot() as snapshot:
            link = link_of(snapshot, Epoch(epoch - 1))
        if link is not None and is_complete(link):
            return link.next_seats
        with self._store.view() as view:
            return seats_of(members_in(view, epoch))

    def additions(self, certificate: Certificate) -> WriteBatch:
        """Return the write that stores a verified certificate."""
        checkpoint = certificate.checkpoint
        batch = WriteBatch()
        batch.put(CERTIFICATES, checkpoint.number, certificate)
        batch.put(CERTIFIED_HEIGHTS, checkpoint.height, checkpoint.number)
        with self._environment.snapshot() as snapshot:
            if checkpoint.next_committee is not None:
                batch.put(EPOCH_LINKS, checkpoint.epoch, self._link(snapshot, certificate))
        return batch

    def compare(self, certificate: Certificate) -> None:
        """Compare a stored certificate with what was executed, if its commit was.

        Raises:
            StateDivergedError: they differ.
        """
        height = certificate.checkpoint.height
        with self._environment.snapshot() as snapshot:
            raw = record_at(snapshot, height)
            if raw is not None:
                own = COMMIT_RECORD_CODEC.decode(raw).checkpoint
                check_against_certificate(snapshot, height, own)

    def missing_seats(self, epoch: Epoch) -> WriteBatch | None:
        """Return the write that completes the link of an epoch that ended, None if none is needed.

        A certificate that was stored before its commit was executed had no seats to follow it.
        """
        with self._environment.snapshot() as snapshot:
            link = link_of(snapshot, epoch)
            if link is None or is_complete(link):
                return None
            completed = self._link(snapshot, link.certificate)
        if not is_complete(completed):
            return None
        batch = WriteBatch()
        batch.put(EPOCH_LINKS, epoch, completed)
        return batch

    def walk(self, raw: bytes) -> tuple[list[WriteBatch], Certificate]:
        """Verify a certificate chain; return the writes that store it, and its last certificate.

        Raises:
            InvalidCheckpointError: a link does not follow from what is trusted.
            CommitteeUnknownError: the committee of its first link is not known here.
        """
        try:
            links = CHAIN_FILE_CODEC.decode(raw).links
        except MalformedBytesError as error:
            raise CheckpointFormatError(f"not a certificate chain: {error}") from error
        self._client_at(links[0].certificate.checkpoint.epoch).follow(raw)
        batches = []
        for start in range(0, len(links), LINKS_WRITTEN_MAX):
            batch = WriteBatch()
            for link in links[start : start + LINKS_WRITTEN_MAX]:
                if is_complete(link):
                    batch.put(EPOCH_LINKS, link.certificate.checkpoint.epoch, link)
            if batch:
                batches.append(batch)
        return batches, links[-1].certificate

    def _client_at(self, epoch: Epoch) -> LightClient:
        with self._environment.snapshot() as snapshot:
            before = link_of(snapshot, Epoch(epoch - 1))
        return LightClient(
            chain_id=self._chain_id,
            trusting_period_ms=self._genesis.parameters.trusting_period_ms,
            epoch=epoch,
            seats=self.seats_of(epoch),
            head=None if before is None else before.certificate.checkpoint,
        )

    def _link(self, snapshot: Snapshot, closing: Certificate) -> ChainLink:
        """Return the link of an epoch, with no seats if the next epoch is not known yet."""
        epoch = closing.checkpoint.epoch
        known = link_of(snapshot, epoch)
        if known is not None and is_complete(known):
            return known
        try:
            seats = self.seats_of(Epoch(epoch + 1))
        except CommitteeUnknownError:
            return ChainLink(closing, ())
        return ChainLink(closing, seats)


def chain_file(snapshot: Snapshot, *, first: Epoch, last: Certificate) -> bytes:
    """Return the certificate chain from the committee of an epoch up to a certificate.

    Raises:
        CommitteeUnknownError: an epoch between them is not certified here.
    """
    end = last.checkpoint
    links = [_complete_link(snapshot, Epoch(number)) for number in range(first, end.epoch)]
    if end.next_committee is None:
        links.append(ChainLink(last, ()))
    else:
        links.append(_complete_link(snapshot, end.epoch))
    return CHAIN_FILE_CODEC.encode(CertificateChain(tuple(links)))


def _complete_link(snapshot: Snapshot, epoch: Epoch) -> ChainLink:
    link = link_of(snapshot, epoch)
    if link is None or not is_complete(link):
        raise CommitteeUnknownError(epoch=Epoch(epoch + 1))
    return link
