"""From what an operator trusts to the committee of the epoch that peers speak of.

The walk goes along closing certificates, one for each epoch; what it has passed is verified, and is
kept for those who will walk after us. Source: `node.ledger.light_client`.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from node.ledger.checkpoint import Certificate, check_successor, verify_certificate
from node.ledger.light_client import (
    CHAIN_FILE_CODEC,
    CertificateChain,
    ChainLink,
    LightClient,
)
from primitives.ids import Digest, Epoch, TimestampMs


@dataclass(frozen=True, slots=True)
class TrustedAnchor:
    """A checkpoint that the operator trusts, and where it is written.

    Args:
        raw: the anchor file.
        digest: of its checkpoint, from a source that the operator believes.
    """

    raw: bytes
    digest: Digest


class TrustWalk:
    """What is proven about the committees of a chain so far."""

    def __init__(self, client: LightClient) -> None:
        self._client = client
        self.links: list[ChainLink] = []

    @classmethod
    def start(
        cls, genesis: bytes, *, anchor: TrustedAnchor | None, now_ms: TimestampMs
    ) -> "TrustWalk":
        """Start from genesis, or from a later checkpoint that the operator trusts.

        Raises:
            GenesisError: no chain could start from it.
            InvalidCheckpointError: the anchor is none of this chain, or too old.
        """
        client = LightClient.from_genesis(genesis)
        if anchor is not None:
            client = client.trusting(anchor.raw, digest=anchor.digest, now_ms=now_ms)
        return cls(client)

    @property
    def epoch(self) -> Epoch:
        """Return the newest epoch whose committee is proven."""
        return self._client.epoch

    def pass_epochs(self, links: Iterable[ChainLink]) -> None:
        """Walk along the closing certificates among some links, the next one first.

        Raises:
            InvalidCheckpointError: one does not follow from what is proven; nothing was taken.
        """
        closings = tuple(
            link for link in links if link.certificate.checkpoint.next_committee is not None
        )
        if closings:
            self._client = self._client.follow(CHAIN_FILE_CODEC.encode(CertificateChain(closings)))
            self.links.extend(closings)

    def verify(self, certificate: Certificate) -> None:
        """Check a certificate of the newest proven epoch, or the one that closed the epoch before.

        Raises:
            InvalidCheckpointError: the committee did not sign it, or it cannot follow.
        """
        client = self._client
        if self.links and certificate.checkpoint == self.links[-1].certificate.checkpoint:
            return
        verify_certificate(
            certificate, chain_id=client.chain_id, epoch=client.epoch, seats=client.seats
        )
        if client.head is not None:
            check_successor(client.head, certificate.checkpoint)
