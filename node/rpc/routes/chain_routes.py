"""The chain: head, commits, checkpoints, validators, accounts."""

import msgspec

from node.ledger.account import Account as LedgerAccount
from node.ledger.account import read_account
from node.ledger.contract import CONTRACT_NONCE
from node.ledger.staking.records import Members, Validator
from node.ledger.staking.tables import find_validator, read_roster
from node.rpc import schemas
from node.rpc.errors import NotFoundError
from node.rpc.rendering import Renderer, show_certificate, show_checkpoint
from node.rpc.route import Ask, NoBody, NoParameters, Route
from node.rpc.routes.asked import AskedAddress, AskedHeight
from node.rpc.texts import Whole, account_text, address_text, parse_address
from primitives.ids import Height


class AskedNumber(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A checkpoint by its number."""

    number: Whole


async def show_head(ask: Ask[NoParameters, NoBody]) -> schemas.Head:
    """Return where the chain is."""
    chain = ask.context.chain
    head, certified = chain.head, chain.certified
    return schemas.Head(
        chain_id=chain.chain_id.hex(),
        epoch=head.epoch,
        commit_index=head.commit_index,
        height=head.height,
        time_ms=head.time_ms,
        state_root=head.state_root.hex(),
        checkpoint_count=head.checkpoint_count,
        certified_number=None if certified is None else certified.checkpoint.number,
        certified_height=None if certified is None else certified.checkpoint.height,
    )


async def show_commit(ask: Ask[AskedHeight, NoBody]) -> schemas.Commit:
    """Return one commit with its receipts."""
    chain, height = ask.context.chain, Height(ask.asked.height)

    def find() -> schemas.Commit:
        record, receipts = chain.record_at(height), chain.receipts(height)
        if record is None or receipts is None:
            raise NotFoundError(f"commit {height} is not here: pruned, or not yet executed")
        with chain.view() as state:
            renderer = Renderer(state, chain.machine.library)
            shown = tuple(
                renderer.receipt(receipt, height=height, index=index)
                for index, receipt in enumerate(receipts)
            )
        checkpoint = record.checkpoint
        return schemas.Commit(
            height=height,
            epoch=record.epoch,
            commit_index=record.commit_index,
            digest=record.commit_digest.hex(),
            time_ms=record.time_ms,
            is_final=_is_final(ask, height),
            checkpoint=None if checkpoint is None else show_checkpoint(checkpoint),
            receipts=shown,
        )

    return await ask.read(find)


def _is_final(ask: Ask[AskedHeight, NoBody], height: Height) -> bool:
    certified = ask.context.chain.certified
    return certified is not None and certified.checkpoint.height >= height


async def show_checkpoint_number(ask: Ask[AskedNumber, NoBody]) -> schemas.Certificate:
    """Return the certificate of a checkpoint."""
    certificate = await ask.read(lambda: ask.context.chain.certificate(ask.asked.number))
    if certificate is None:
        raise NotFoundError(f"no certificate of checkpoint {ask.asked.number} is here")
    return show_certificate(certificate)


async def show_newest_checkpoint(ask: Ask[NoParameters, NoBody]) -> schemas.Certificate:
    """Return the newest certificate."""
    certified = ask.context.chain.certified
    if certified is None:
        raise NotFoundError("nothing is certified yet")
    return show_certificate(certified)


async def list_validators(ask: Ask[NoParameters, NoBody]) -> schemas.Validators:
    """Return all validators with their seats."""
    chain = ask.context.chain

    def find() -> schemas.Validators:
        members, epoch = chain.members(), chain.head.epoch
        with chain.view() as state:
            records = [find_validator(state, operator) for operator in read_roster(state)]
        return schemas.Validators(
            epoch=epoch,
            power_total=sum(member.power for member in members),
            validators=tuple(_validator(one, members) for one in records if one is not None),
        )

    return await ask.read(find)


def _validator(validator: Validator, members: Members) -> schemas.Validator:
    places = [
        place for place, member in enumerate(members) if member.operator == validator.operator
    ]
    seat = places[0] if places else None
    return schemas.Validator(
        operator=account_text(validator.operator),
        consensus_key=validator.keys.consensus_key.hex(),
        node_key=validator.keys.node_key.hex(),
        commission_bp=validator.commission_bp,
        stake=str(validator.tokens),
        standing=validator.standing.name.lower(),
        seat=seat,
        power=0 if seat is None else members[seat].power,
        release_epoch=validator.release_epoch,
    )


async def show_account(ask: Ask[AskedAddress, NoBody]) -> schemas.Account:
    """Return what an address holds."""
    address = parse_address(ask.asked.address)
    chain = ask.context.chain
    wanted = None if ask.asked.height is None else Height(ask.asked.height)

    def find() -> tuple[LedgerAccount, Height]:
        with chain.view(wanted) as state:
            return read_account(state, address), state.height

    account, height = await ask.read(find)
    pool, is_contract = ask.context.mempool.pool, account.nonce == CONTRACT_NONCE
    return schemas.Account(
        address=address.hex() if is_contract else address_text(address),
        balance=str(account.balance),
        nonce=str(account.nonce),
        next_nonce=str(pool.next_nonce(address, account=account)),
        is_contract=is_contract,
        pending=len(pool.pending(address)),
        height=height,
    )


ROUTES = (
    Route(
        method="GET",
        path="/v1/head",
        name="head",
        summary="Where the chain is.",
        handler=show_head,
        answer=schemas.Head,
    ),
    Route(
        method="GET",
        path="/v1/commits/{height}",
        name="commit",
        summary="One commit with its receipts.",
        handler=show_commit,
        asked=AskedHeight,
        answer=schemas.Commit,
        cost=4,
    ),
    Route(
        method="GET",
        path="/v1/checkpoints/latest",
        name="newest_certificate",
        summary="The newest certificate.",
        handler=show_newest_checkpoint,
        answer=schemas.Certificate,
    ),
    Route(
        method="GET",
        path="/v1/checkpoints/{number}",
        name="certificate",
        summary="The certificate of a checkpoint.",
        handler=show_checkpoint_number,
        asked=AskedNumber,
        answer=schemas.Certificate,
    ),
    Route(
        method="GET",
        path="/v1/validators",
        name="validators",
        summary="All validators with their seats.",
        handler=list_validators,
        answer=schemas.Validators,
        cost=4,
    ),
    Route(
        method="GET",
        path="/v1/accounts/{address}",
        name="account",
        summary="What an address holds.",
        handler=show_account,
        asked=AskedAddress,
        answer=schemas.Account,
        refusals=(410,),
    ),
)
