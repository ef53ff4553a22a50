import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primitives.hashing import Domain, sha256, tagged_hash
from primitives.ids import DIGEST_SIZE_BYTES
from tests.vectors import Row, cases

ROWS = cases("hashing", "tagged_hash")


@pytest.mark.parametrize("row", ROWS)
def test_a_tagged_hash_is_the_golden_one(row: Row) -> None:
    domain = Domain[row["domain"]]
    assert domain.value == row["tag"]
    assert tagged_hash(domain, bytes.fromhex(row["message"])).hex() == row["digest"]


def test_every_domain_has_a_golden_row() -> None:
    assert {row.values[0]["domain"] for row in ROWS} == set(Domain.__members__)


@pytest.mark.parametrize("domain", Domain)
def test_every_tag_names_the_project_the_thing_and_a_version(domain: Domain) -> None:
    assert domain.value == f"hanse/{domain.name.lower().replace('_', '-')}/1"


@given(st.sampled_from(Domain), st.binary(max_size=300))
def test_a_tagged_hash_is_the_formula_of_bip340(domain: Domain, message: bytes) -> None:
    tag_hash = hashlib.sha256(domain.value.encode()).digest()
    expected = hashlib.sha256(tag_hash + tag_hash + message).digest()
    assert tagged_hash(domain, message) == expected
    assert len(expected) == DIGEST_SIZE_BYTES


@given(st.binary(max_size=100))
def test_no_two_domains_and_no_plain_hash_agree_on_a_message(message: bytes) -> None:
    digests = {tagged_hash(domain, message) for domain in Domain} | {sha256(message)}
    assert len(digests) == len(Domain) + 1


def test_sha256_is_the_one_of_fips_180() -> None:
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(b"abc").hex() == expected
