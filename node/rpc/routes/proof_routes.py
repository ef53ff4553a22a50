"""Proofs for who has no node: what `hanse light verify` reads beside the genesis file."""

from typing import Annotated

import msgspec
from aiohttp import web

from node.chain.proofs import Proof
from node.rpc import schemas
from node.rpc.errors import NotFoundError
from node.rpc.route import Ask, Medium, NoBody, NoParameters, Route
from node.rpc.routes.asked import AskedTransaction
from node.rpc.texts import AddressText, Whole, base64_text, parse_address, parse_digest
from primitives.ids import Epoch


class AskedProofAddress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An account whose balance is to be proven."""

    address: AddressText


class AskedSlot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A slot of the storage of a contract."""

    contract: AddressText
    slot: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{2}){1,190}$")]


class AskedEpoch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The epoch whose committee the reader knows."""

    after_epoch: Whole = 0


def _shown(proof: Proof) -> schemas.Proof:
    return schemas.Proof(
        height=proof.height,
        chain_file=base64_text(proof.chain_file),
        proof=base64_text(proof.proof),
    )


async def prove_receipt(ask: Ask[AskedTransaction, NoBody]) -> schemas.Proof:
    """Return the proof of what became of a transaction."""
    chain, transaction_id = ask.context.chain, parse_digest(ask.asked.id)

    def prove() -> schemas.Proof:
        place = chain.find_transaction(transaction_id)
        if place is None:
            raise NotFoundError("no commit that is kept here has this transaction")
        return _shown(chain.prove_receipt(*place))

    return await ask.read(prove)


async def prove_account(ask: Ask[AskedProofAddress, NoBody]) -> schemas.Proof:
    """Return the proof of what an account holds."""
    chain, address = ask.context.chain, parse_address(ask.asked.address)
    return await ask.read(lambda: _shown(chain.prove_account(address)))


async def prove_slot(ask: Ask[AskedSlot, NoBody]) -> schemas.Proof:
    """Return the proof of what a slot of a contract holds."""
    chain, contract = ask.context.chain, parse_address(ask.asked.contract)
    slot = bytes.fromhex(ask.asked.slot)
    return await ask.read(lambda: _shown(chain.prove_slot(contract, slot)))


async def chain_file(ask: Ask[AskedEpoch, NoBody]) -> web.StreamResponse:
    """Return the certificates that lead a light client to the newest one."""
    after = Epoch(ask.asked.after_epoch)
    raw = await ask.read(lambda: ask.context.chain.chain_file(after))
    return web.Response(body=raw, content_type=Medium.OCTETS.value)


async def genesis_file(ask: Ask[NoParameters, NoBody]) -> web.StreamResponse:
    """Return the genesis file, byte for byte."""
    return web.Response(body=ask.context.chain.genesis_file, content_type=Medium.OCTETS.value)


ROUTES = (
    Route(
        method="GET",
        path="/v1/proofs/receipts/{id}",
        name="prove_receipt",
        summary="The proof of what became of a transaction.",
        handler=prove_receipt,
        asked=AskedTransaction,
        answer=schemas.Proof,
        cost=4,
        tag="proofs",
    ),
    Route(
        method="GET",
        path="/v1/proofs/accounts/{address}",
        name="prove_account",
        summary="The proof of what an account holds.",
        handler=prove_account,
        asked=AskedProofAddress,
        answer=schemas.Proof,
        refusals=(410,),
        cost=4,
        tag="proofs",
    ),
    Route(
        method="GET",
        path="/v1/proofs/slots/{contract}/{slot}",
        name="prove_slot",
        summary="The proof of what a slot of a contract's storage holds.",
        handler=prove_slot,
        asked=AskedSlot,
        answer=schemas.Proof,
        refusals=(410,),
        cost=4,
        tag="proofs",
    ),
    Route(
        method="GET",
        path="/v1/light/chain",
        name="chain_file",
        summary="Certificates that lead a light client to the newest one.",
        handler=chain_file,
        asked=AskedEpoch,
        medium=Medium.OCTETS,
        cost=8,
        tag="proofs",
    ),
    Route(
        method="GET",
        path="/v1/genesis",
        name="genesis_file",
        summary="The genesis file, byte for byte.",
        handler=genesis_file,
        medium=Medium.OCTETS,
        cost=8,
        tag="proofs",
    ),
)
