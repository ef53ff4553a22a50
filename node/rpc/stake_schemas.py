"""What the API says about gas prices and staked money; see `schemas` for the conventions."""

import msgspec

from node.rpc.texts import AddressText, BigWhole, Whole


class _Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The root of these schemas."""


class Fees(_Answer, frozen=True, kw_only=True):
    """What gas costs now, and how much of it a transaction may ask for."""

    height: Whole
    base_fee: BigWhole
    """Per gas, in grains, of the next commit; it is burned."""
    fee_min: BigWhole
    gas_target: BigWhole
    """Gas of a commit at which the base fee stays as it is."""
    transaction_gas_max: BigWhole


class Holding(_Answer, frozen=True, kw_only=True):
    """What an account has at one validator, in grains at the rate of now, rewards included."""

    validator: AddressText
    free: BigWhole
    """May leave or move on."""
    entering: BigWhole
    """Becomes stake at the end of the epoch."""
    arrived: BigWhole
    """Came from other validators and may not leave yet."""
    leaving: BigWhole
    """Unbonds, or waits to be withdrawn."""


class Holdings(_Answer, frozen=True, kw_only=True):
    """Where an account has stake."""

    address: AddressText
    epoch: Whole
    holdings: tuple[Holding, ...]
