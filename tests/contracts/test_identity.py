import pytest

from node.execution.deployed import DeployedContract
from node.execution.local_chain import LocalChain, key_named
from primitives.hashing import Domain
from tests.contracts.cast import refused

CONTEXT = b"hanse identity key"


@pytest.fixture(name="identity")
def _identity(chain: LocalChain) -> DeployedContract:
    return chain.contract("identity")


def device_key(name: str) -> bytes:
    return key_named(name).public.raw


def signed(
    chain: LocalChain, identity: DeployedContract, *, key: str, whose: str, context: bytes = CONTEXT
) -> bytes:
    """Return the consent of a key to belong to an account."""
    message = chain.chain_id + identity.address + context + chain.account(whose)
    return key_named(key).sign(Domain.CONTRACT_MESSAGE, message)


def add_key(chain: LocalChain, identity: DeployedContract, key: str, *, sender: str) -> None:
    consent = signed(chain, identity, key=key, whose=sender)
    identity.add_key(device_key(key), consent, sender=sender)


def test_an_account_registers_with_a_name_a_role_and_an_organisation(
    chain: LocalChain, identity: DeployedContract
) -> None:
    alice = chain.account("alice")
    identity.register("anna", "client", "charite", sender="alice")
    assert identity.name_of(alice) == "anna"
    assert identity.role_of(alice) == "client"
    assert identity.organisation_of(alice) == "charite"
    assert identity.owner_of("anna") == alice


def test_an_identity_is_registered_at_the_height_after_its_commit(
    chain: LocalChain, identity: DeployedContract
) -> None:
    assert identity.registered_at(chain.account("alice")) == 0
    identity.register("anna", "client", "")
    assert identity.registered_at(chain.account("alice")) == 2


def test_nobody_is_registered_at_zero(chain: LocalChain, identity: DeployedContract) -> None:
    identity.register("anna", "client", "")
    assert identity.registered_at(chain.account("alice")) == 1


@pytest.mark.parametrize("role", ["", "Client", "validator", "admin"])
def test_roles_are_client_and_agent(identity: DeployedContract, role: str) -> None:
    with refused("the role is client or agent"):
        identity.register("anna", role, "")


@pytest.mark.parametrize("name", ["", "a" * 33])
def test_a_name_has_1_to_32_letters(identity: DeployedContract, name: str) -> None:
    with refused("a name has 1 to 32 letters"):
        identity.register(name, "client", "")


@pytest.mark.parametrize("name", ["Anna", "an na", "anna\n", "\u0430nna", "anna/1", "a\x00"])
def test_names_that_look_alike_are_refused(identity: DeployedContract, name: str) -> None:
    with refused("a name is made of a-z"):
        identity.register(name, "client", "")


def test_a_taken_name_is_refused(identity: DeployedContract) -> None:
    identity.register("anna", "client", "", sender="alice")
    with refused("the name is taken"):
        identity.register("anna", "agent", "", sender="bob")


def test_an_account_has_one_identity(identity: DeployedContract) -> None:
    identity.register("anna", "client", "")
    with refused("the account has an identity"):
        identity.register("berta", "client", "")


def test_a_name_stays_taken_after_revocation(chain: LocalChain, identity: DeployedContract) -> None:
    identity.register("anna", "client", "")
    identity.revoke(chain.account("alice"))
    assert identity.owner_of("anna") is None
    assert identity.is_taken("anna")
    assert not identity.is_taken("berta")
    for sender in ("alice", "bob"):
        with refused("the name is taken"):
            identity.register("anna", "client", "", sender=sender)


def test_a_revoked_identity_is_nobody(chain: LocalChain, identity: DeployedContract) -> None:
    alice = chain.account("alice")
    identity.register("anna", "client", "charite")
    identity.revoke(alice)
    assert identity.registered_at(alice) == 0
    assert identity.name_of(alice) == identity.role_of(alice) == ""
    assert identity.organisation_of(alice) == ""
    assert identity.roles_of(alice) == []


def test_who_registers_again_has_another_name_and_a_later_height(
    chain: LocalChain, identity: DeployedContract
) -> None:
    alice = chain.account("alice")
    identity.register("anna", "client", "")
    first = identity.registered_at(alice)
    identity.revoke(alice)
    identity.register("anna-2", "agent", "")
    second = identity.registered_at(alice)
    assert isinstance(first, int)
    assert isinstance(second, int)
    assert second > first
    assert identity.owner_of("anna") is None
    assert identity.owner_of("anna-2") == alice


def test_only_the_identity_and_its_organisation_revoke_it(
    chain: LocalChain, identity: DeployedContract
) -> None:
    identity.register("anna", "client", "charite", sender="alice")
    identity.admit("charite", chain.account("bob"), sender="alice")
    identity.register("bert", "client", "charite", sender="bob")
    identity.register("cora", "client", "elsewhere", sender="carol")
    for outsider in ("carol", "dave", "validator-0"):
        with refused("only the identity or its organisation may revoke it"):
            identity.revoke(chain.account("bob"), sender=outsider)
    with refused("only the identity or its organisation may revoke it"):
        identity.revoke(chain.account("alice"), sender="bob")
    identity.revoke(chain.account("bob"), sender="alice")
    assert identity.registered_at(chain.account("bob")) == 0


def test_nobody_else_revokes_an_identity_without_an_organisation(
    chain: LocalChain, identity: DeployedContract
) -> None:
    identity.register("anna", "client", "", sender="alice")
    with refused("only the identity or its organisation may revoke it"):
        identity.revoke(chain.account("alice"), sender="bob")


def test_what_is_not_registered_cannot_be_revoked(
    chain: LocalChain, identity: DeployedContract
) -> None:
    with refused("the account has no identity"):
        identity.revoke(chain.account("alice"))


def test_who_first_names_an_organisation_owns_it(
    chain: LocalChain, identity: DeployedContract
) -> None:
    assert identity.organisation_owner("charite") is None
    identity.register("anna", "client", "charite")
    assert identity.organisation_owner("charite") == chain.account("alice")


def test_others_belong_to_an_organisation_once_its_owner_admits_them(
    chain: LocalChain, identity: DeployedContract
) -> None:
    identity.register("anna", "client", "charite", sender="alice")
    with refused("the organisation has not admitted you"):
        identity.register("bert", "client", "charite", sender="bob")
    with refused("only the owner of the organisation"):
        identity.admit("charite", chain.account("bob"), sender="bob")
    identity.admit("charite", chain.account("bob"), sender="alice")
    with refused("the organisation has not admitted you"):
        identity.register("cora", "client", "charite", sender="carol")
    identity.register("bert", "client", "charite", sender="bob")
    assert identity.organisation_of(chain.account("bob")) == "charite"


def test_an_admission_is_for_one_registration(
    chain: LocalChain, identity: DeployedContract
) -> None:
    bob = chain.account("bob")
    identity.register("anna", "client", "charite", sender="alice")
    identity.admit("charite", bob, sender="alice")
    identity.register("bert", "client", "charite", sender="bob")
    identity.revoke(bob, sender="alice")
    with refused("the organisation has not admitted you"):
        identity.register("bert-2", "client", "charite", sender="bob")


def test_only_an_account_without_an_identity_is_admitted(
    chain: LocalChain, identity: DeployedContract
) -> None:
    identity.register("anna", "client", "charite", sender="alice")
    identity.register("bert", "client", "", sender="bob")
    with refused("the account has an identity"):
        identity.admit("charite", chain.account("bob"), sender="alice")
    with refused("there is no such organisation"):
        identity.admit("nowhere", chain.account("carol"), sender="alice")


def test_an_organisation_is_named_like_a_person(identity: DeployedContract) -> None:
    with refused("a name is made of a-z"):
        identity.register("anna", "client", "Charité")


def test_the_owner_of_an_organisation_comes_back_to_it(
    chain: LocalChain, identity: DeployedContract
) -> None:
    identity.register("anna", "client", "charite")
    identity.revoke(chain.account("alice"))
    identity.register("anna-2", "client", "charite")
    assert identity.organisation_of(chain.account("alice")) == "charite"


def test_an_organisation_is_handed_over_to_a_member(
    chain: LocalChain, identity: DeployedContract
) -> None:
    alice, bob = chain.account("alice"), chain.account("bob")
    identity.register("anna", "client", "charite", sender="alice")
    with refused("the new owner is no member"):
        identity.hand_over("charite", bob, sender="alice")
    identity.admit("charite", bob, sender="alice")
    identity.register("bert", "client", "charite", sender="bob")
    with refused("only the owner of the organisation"):
        identity.hand_over("charite", bob, sender="bob")
    identity.hand_over("charite", bob, sender="alice")
    assert identity.organisation_owner("charite") == bob
    identity.revoke(alice, sender="bob")


def test_the_roles_of_a_token_follow_from_the_chain(
    chain: LocalChain, identity: DeployedContract
) -> None:
    identity.register("anna", "client", "charite", sender="alice")
    identity.register("otto", "agent", "", sender="validator-0")
    assert identity.roles_of(chain.account("alice")) == ["client", "organisation"]
    assert identity.roles_of(chain.account("validator-0")) == ["agent", "validator"]
    assert identity.roles_of(chain.account("validator-1")) == ["validator"]
    assert identity.roles_of(chain.account("bob")) == []


def test_a_key_belongs_to_the_identity_that_it_signed_for(
    chain: LocalChain, identity: DeployedContract
) -> None:
    alice = chain.account("alice")
    identity.register("anna", "client", "")
    add_key(chain, identity, "laptop", sender="alice")
    assert identity.keys_of(alice) == [device_key("laptop")]
    assert identity.holder_of(device_key("laptop")) == alice
    assert identity.holder_of(device_key("phone")) is None


def test_a_key_is_not_taken_without_its_consent(
    chain: LocalChain, identity: DeployedContract
) -> None:
    identity.register("anna", "client", "", sender="alice")
    for consent in (
        bytes(64),
        signed(chain, identity, key="phone", whose="alice"),
        signed(chain, identity, key="laptop", whose="bob"),
        signed(chain, identity, key="laptop", whose="alice", context=b"another use"),
    ):
        with refused("not signed with the key"):
            identity.add_key(device_key("laptop"), consent, sender="alice")


def test_a_key_has_32_bytes(identity: DeployedContract) -> None:
    identity.register("anna", "client", "")
    with refused("a key has 32 bytes"):
        identity.add_key(bytes(31), bytes(64))


def test_keys_belong_to_registered_accounts(chain: LocalChain, identity: DeployedContract) -> None:
    with refused("the account has no identity"):
        add_key(chain, identity, "laptop", sender="alice")


def test_an_identity_has_at_most_8_keys(chain: LocalChain, identity: DeployedContract) -> None:
    identity.register("anna", "client", "")
    for number in range(8):
        add_key(chain, identity, f"key {number}", sender="alice")
    with refused("the identity has too many keys"):
        add_key(chain, identity, "key 8", sender="alice")


def test_a_key_names_one_identity_once_and_for_ever(
    chain: LocalChain, identity: DeployedContract
) -> None:
    identity.register("anna", "client", "", sender="alice")
    identity.register("bert", "client", "", sender="bob")
    add_key(chain, identity, "laptop", sender="alice")
    identity.revoke_key(device_key("laptop"), sender="alice")
    assert identity.holder_of(device_key("laptop")) is None
    for sender in ("alice", "bob"):
        with refused("the key was registered before"):
            add_key(chain, identity, "laptop", sender=sender)


def test_a_key_is_rotated_in_one_step(chain: LocalChain, identity: DeployedContract) -> None:
    alice = chain.account("alice")
    identity.register("anna", "client", "")
    for key in ("laptop", "phone"):
        add_key(chain, identity, key, sender="alice")
    consent = signed(chain, identity, key="tablet", whose="alice")
    identity.rotate_key(device_key("laptop"), device_key("tablet"), consent)
    assert identity.keys_of(alice) == [device_key("tablet"), device_key("phone")]
    assert identity.holder_of(device_key("laptop")) is None
    with refused("the identity has no such key"):
        identity.rotate_key(device_key("laptop"), device_key("watch"), consent)


def test_only_the_identity_revokes_its_keys(chain: LocalChain, identity: DeployedContract) -> None:
    identity.register("anna", "client", "", sender="alice")
    for key in ("laptop", "phone"):
        add_key(chain, identity, key, sender="alice")
    with refused("the identity has no such key"):
        identity.revoke_key(device_key("laptop"), sender="bob")
    identity.revoke_key(device_key("laptop"), sender="alice")
    assert identity.keys_of(chain.account("alice")) == [device_key("phone")]


def test_revoking_an_identity_revokes_its_keys_for_ever(
    chain: LocalChain, identity: DeployedContract
) -> None:
    alice = chain.account("alice")
    identity.register("anna", "client", "")
    for key in ("laptop", "phone"):
        add_key(chain, identity, key, sender="alice")
    identity.revoke(alice)
    revoked = [
        ("KeyRevoked", {"who": alice, "key": device_key(key)}) for key in ("laptop", "phone")
    ]
    assert identity.events() == [*revoked, ("Revoked", {"who": alice, "name": "anna"})]
    identity.register("anna-2", "client", "")
    assert identity.keys_of(alice) == []
    assert identity.holder_of(device_key("laptop")) is None


def test_what_changes_is_announced(chain: LocalChain, identity: DeployedContract) -> None:
    alice, bob = chain.account("alice"), chain.account("bob")
    identity.register("anna", "client", "charite")
    assert identity.events() == [
        ("Founded", {"organisation": "charite", "owner": alice}),
        (
            "Registered",
            {"who": alice, "name": "anna", "role": "client", "organisation": "charite", "at": 1},
        ),
    ]
    identity.admit("charite", bob)
    assert identity.events() == [("Admitted", {"organisation": "charite", "who": bob})]


def test_every_method_costs_bounded_gas(chain: LocalChain, identity: DeployedContract) -> None:
    gas: dict[str, int] = {}
    identity.register("n" * 32, "client", "o" * 32, sender="alice")
    gas["register"] = identity.gas_used
    identity.admit("o" * 32, chain.account("bob"), sender="alice")
    gas["admit"] = identity.gas_used
    identity.register("bert", "client", "o" * 32, sender="bob")
    for number in range(8):
        add_key(chain, identity, f"key {number}", sender="alice")
    gas["add_key"] = identity.gas_used
    consent = signed(chain, identity, key="tablet", whose="alice")
    identity.rotate_key(device_key("key 7"), device_key("tablet"), consent)
    gas["rotate_key"] = identity.gas_used
    identity.revoke_key(device_key("key 0"), sender="alice")
    gas["revoke_key"] = identity.gas_used
    identity.hand_over("o" * 32, chain.account("bob"), sender="alice")
    gas["hand_over"] = identity.gas_used
    identity.revoke(chain.account("alice"), sender="alice")
    gas["revoke"] = identity.gas_used
    limits = {
        "register": 30_000,
        "admit": 20_000,
        "add_key": 30_000,
        "rotate_key": 50_000,
        "revoke_key": 30_000,
        "hand_over": 20_000,
        "revoke": 60_000,
    }
    assert {name for name, used in gas.items() if used > limits[name]} == set()
