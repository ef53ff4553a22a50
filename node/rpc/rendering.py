"""Show what the chain keeps as the schemas have it; pure but for the state that it reads."""

from typing import Final

from node.chain.index import EventPlace
from node.execution.library import Library
from node.ledger.checkpoint import (
    CERTIFICATE_CODEC,
    Certificate,
    Checkpoint,
    checkpoint_digest,
    signers_of,
)
from node.ledger.overlay import StateReader
from node.ledger.receipt import Event, Receipt, ReceiptStatus
from node.rpc import schemas
from node.rpc.schemas import Json
from node.rpc.texts import base64_text
from node.rpc.values import to_json
from node.vm.abi import from_value
from primitives.errors import HanseError
from primitives.ids import Height

STATUS_NAMES: Final = {
    ReceiptStatus.DONE: "done",
    ReceiptStatus.FAILED: "failed",
    ReceiptStatus.REFUSED: "refused",
}


def show_checkpoint(checkpoint: Checkpoint) -> schemas.Checkpoint:
    """Return a checkpoint with its digest."""
    committee = checkpoint.next_committee
    return schemas.Checkpoint(
        number=checkpoint.number,
        epoch=checkpoint.epoch,
        commit_index=checkpoint.commit_index,
        height=checkpoint.height,
        commit_digest=checkpoint.commit_digest.hex(),
        time_ms=checkpoint.timestamp_ms,
        state_root=checkpoint.state_root.hex(),
        receipts_root=checkpoint.receipts_root.hex(),
        previous=checkpoint.previous.hex(),
        next_committee=None if committee is None else committee.hex(),
        digest=checkpoint_digest(checkpoint).hex(),
    )


def show_certificate(certificate: Certificate) -> schemas.Certificate:
    """Return a certificate, and its bytes."""
    seats = signers_of(certificate.signers, seat_count=8 * len(certificate.signers))
    return schemas.Certificate(
        checkpoint=show_checkpoint(certificate.checkpoint),
        signers=tuple(seats),
        raw=base64_text(CERTIFICATE_CODEC.encode(certificate)),
    )


class Renderer:
    """Shows receipts and events, whose fields only the code of their contract explains.

    Args:
        state: any state after the contracts were put there; code never changes.
    """

    def __init__(self, state: StateReader, library: Library) -> None:
        self._state = state
        self._library = library

    def receipt(self, receipt: Receipt, *, height: Height, index: int) -> schemas.Receipt:
        """Return a receipt with its events."""
        return schemas.Receipt(
            transaction_id=receipt.transaction_id.hex(),
            height=height,
            index=index,
            status=STATUS_NAMES[receipt.status],
            code=receipt.code,
            gas_used=str(receipt.gas_used),
            fee=str(receipt.fee),
            events=tuple(self.event(event) for event in receipt.events),
            result=receipt.result.hex(),
            created=None if receipt.created is None else receipt.created.hex(),
            trap=receipt.trap,
        )

    def placed(self, place: EventPlace) -> schemas.PlacedEvent:
        """Return an event with its place."""
        return schemas.PlacedEvent(
            height=place.height,
            receipt_index=place.receipt_index,
            event_index=place.event_index,
            event=self.event(place.event),
        )

    def event(self, event: Event) -> schemas.Event:
        """Return an event with its fields by name."""
        return schemas.Event(
            contract=event.contract.hex(), name=event.name, fields=self._fields(event)
        )

    def _fields(self, event: Event) -> Json:
        try:
            entry = self._library.at(self._state, event.contract)
        except HanseError:
            return None
        if entry is None:
            return None
        declared = entry.module.events
        index = next(place for place, known in enumerate(declared) if known.name == event.name)
        values = entry.linked.event_codec(index).decode(event.fields)
        assert isinstance(values, tuple)
        table = entry.module.types
        return {
            field.name: to_json(table, field.type, from_value(table, field.type, value))
            for field, value in zip(declared[index].fields, values, strict=True)
        }
