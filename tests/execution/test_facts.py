import msgspec

from node.execution.facts import CommitFacts
from node.execution.local_chain import LocalChain
from node.ledger.committee import quorum_of
from node.ledger.parameters import LedgerParameters
from node.ledger.staking.records import Members
from primitives.ids import ChainId, Digest, Epoch, Grain, Height, Power, TimestampMs
from tests.execution.accusations import committee_of

SOURCE = """
class Teller(Contract):
    told: Int

    @external
    def tell(self, length: Int):
        text = b"-"
        for turn in range(length):
            text = text + b"-"
        emit("Told", text=text)

    @external
    def hold(self, length: Int):
        text = b"-"
        for turn in range(length):
            text = text + b"-"
"""


def facts_with(members: Members) -> CommitFacts:
    return CommitFacts(
        chain_id=ChainId(bytes(32)),
        epoch=Epoch(0),
        height=Height(0),
        time_ms=TimestampMs(0),
        beacon=Digest(bytes(32)),
        base_fee=Grain(1),
        parameters=LedgerParameters(),
        members=members,
    )


def test_powers_and_quorum_are_those_of_the_members() -> None:
    members = tuple(
        msgspec.structs.replace(member, power=Power(place + 1))
        for place, member in enumerate(committee_of(LocalChain(validators=7)))
    )
    facts = facts_with(members)
    assert facts.powers == {member.operator: member.power for member in members}
    assert facts.quorum == quorum_of(members) == 28 * 2 // 3 + 1


def test_a_byte_of_an_event_costs_half_of_a_byte_of_payload_at_least() -> None:
    chain = LocalChain()
    teller = chain.deploy(SOURCE)
    used = []
    for method in (teller.hold, teller.tell):
        method(100)
        few = teller.gas_used
        method(1_100)
        used.append(teller.gas_used - few)
    assert used[1] - used[0] >= 8 * 1_000
