"""Tokens: what holds, and everything that must not."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.execution.local_chain import key_named
from node.rpc.errors import TokenError
from node.rpc.jwt import LIFE_S_MAX, SKEW_S, read_token, write_token
from primitives.ids import ChainId
from primitives.keys import PrivateKey

KEY = key_named("alice")
DID = KEY.public.did_key
CHAIN = ChainId(bytes(range(32)))
NOW_MS = 1_700_000_000_000
NOW_S = NOW_MS // 1_000
TOKEN = write_token(KEY, chain_id=CHAIN, now_ms=NOW_MS)


def segment(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def forged(*, header: dict[str, Any] | None = None, claims: dict[str, Any] | None = None) -> str:
    """Return a token with these changes, signed by Alice; None takes a field away."""
    first = {"alg": "EdDSA", "typ": "JWT", "kid": DID} | (header or {})
    second = {"aud": CHAIN.hex(), "sub": DID, "iat": NOW_S, "exp": NOW_S + 60} | (claims or {})
    parts = [
        segment(json.dumps({k: v for k, v in part.items() if v is not None}).encode())
        for part in (first, second)
    ]
    signed = ".".join(parts)
    return f"{signed}.{segment(KEY.sign_foreign(signed.encode()))}"


def test_token_speaks_for_the_account_that_signed_it() -> None:
    bearer = read_token(TOKEN, chain_id=CHAIN, now_ms=NOW_MS)
    assert bearer.subject == KEY.public.raw
    assert bearer.is_own_key


def test_key_may_sign_for_the_account_that_registered_it() -> None:
    other = key_named("alice's phone")
    token = write_token(other, chain_id=CHAIN, now_ms=NOW_MS, subject=KEY.public)
    bearer = read_token(token, chain_id=CHAIN, now_ms=NOW_MS)
    assert bearer.subject == KEY.public.raw
    assert bearer.key == other.public
    assert not bearer.is_own_key


def test_token_is_a_jws_that_other_libraries_verify() -> None:
    signed, _, mark = TOKEN.rpartition(".")
    signature = base64.urlsafe_b64decode(mark + "==")
    KEY.public.verify_foreign(signed.encode(), signature)
    assert json.loads(base64.urlsafe_b64decode(signed.split(".")[0] + "==")) == {
        "alg": "EdDSA",
        "kid": DID,
        "typ": "JWT",
    }


def test_no_key_signs_what_could_be_a_digest_of_ours() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        KEY.sign_foreign(bytes(32))


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (forged(header={"alg": "none"}), "algorithm"),
        (forged(header={"alg": "HS256"}), "algorithm"),
        (forged(header={"alg": "ES256"}), "algorithm"),
        (forged(header={"alg": "eddsa"}), "algorithm"),
        (forged(header={"typ": "JOSE"}), "algorithm"),
        (forged(header={"kid": None}), "header or claims"),
        (forged(header={"kid": "did:web:example.org"}), "did:key"),
        (forged(header={"kid": key_named("bob").public.did_key}), "does not hold"),
        (forged(header={"crit": ["exp"]}), "unknown field"),
        (forged(header={"jwk": {"kty": "OKP"}}), "unknown field"),
        (forged(header={"jku": "http://localhost/keys"}), "unknown field"),
        (forged(header={"b64": False}), "unknown field"),
        (forged(claims={"aud": None}), "aud"),
        (forged(claims={"aud": "00" * 32}), "another chain"),
        (forged(claims={"aud": CHAIN.hex().upper()}), "another chain"),
        (forged(claims={"aud": [CHAIN.hex()]}), "aud"),
        (forged(claims={"exp": NOW_S - SKEW_S, "iat": NOW_S - 100}), "expired"),
        (forged(claims={"exp": None}), "exp"),
        (forged(claims={"exp": float(NOW_S) + 0.5}), "exp"),
        (forged(claims={"exp": NOW_S + LIFE_S_MAX + 1}), "at most"),
        (forged(claims={"iat": NOW_S + SKEW_S + 1, "exp": NOW_S + 100}), "valid from"),
        (forged(claims={"iat": NOW_S + 20, "exp": NOW_S + 10}), "at most"),
        (forged(claims={"nbf": NOW_S + SKEW_S + 1}), "valid from"),
        (forged(claims={"iss": "did:key:other"}), "issuer"),
        (forged(claims={"sub": "alice"}), "did:key"),
        (forged(claims={"admin": True}), "unknown field"),
        ("", "three parts"),
        ("a.b", "three parts"),
        (TOKEN + ".", "three parts"),
        (TOKEN + "=", "base64url"),
        (TOKEN.rpartition(".")[0] + ".", "does not hold"),
        ("..", "header or claims"),
        ("é.b.c", "ASCII"),
        ("a" * 2_000, "at most"),
        (f"{segment(b'[' * 300)}.{TOKEN.split('.')[1]}.x", "header or claims"),
    ],
)
def test_other_tokens_are_refused(token: str, reason: str) -> None:
    with pytest.raises(TokenError, match=reason):
        read_token(token, chain_id=CHAIN, now_ms=NOW_MS)


def test_public_key_is_no_secret_of_a_hash() -> None:
    """The classic: HS256 keyed with the public key of an asymmetric verifier."""
    first = segment(json.dumps({"alg": "HS256", "typ": "JWT", "kid": DID}).encode())
    signed = f"{first}.{TOKEN.split('.')[1]}"
    mark = hmac.new(KEY.public.raw, signed.encode(), hashlib.sha256).digest()
    with pytest.raises(TokenError, match="algorithm"):
        read_token(f"{signed}.{segment(mark)}", chain_id=CHAIN, now_ms=NOW_MS)


def test_clocks_may_differ_a_little() -> None:
    for now_ms in (NOW_MS - SKEW_S * 1_000, NOW_MS + (300 + SKEW_S) * 1_000 - 1):
        read_token(TOKEN, chain_id=CHAIN, now_ms=now_ms)


@pytest.mark.parametrize("life_s", [0, -1, LIFE_S_MAX + 1])
def test_no_token_is_written_that_no_node_accepts(life_s: int) -> None:
    with pytest.raises(TokenError, match="lives"):
        write_token(KEY, chain_id=CHAIN, now_ms=NOW_MS, life_s=life_s)


@given(st.integers(0, len(TOKEN) - 1), st.characters(codec="ascii"))
def test_token_with_any_character_changed_is_refused(place: int, character: str) -> None:
    changed = TOKEN[:place] + character + TOKEN[place + 1 :]
    if changed != TOKEN:
        with pytest.raises(TokenError):
            read_token(changed, chain_id=CHAIN, now_ms=NOW_MS)


@given(st.binary(min_size=32, max_size=32))
def test_token_of_any_key_holds(seed: bytes) -> None:
    key = PrivateKey.from_seed(seed)
    token = write_token(key, chain_id=CHAIN, now_ms=NOW_MS)
    assert read_token(token, chain_id=CHAIN, now_ms=NOW_MS).key == key.public
