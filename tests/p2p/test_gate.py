import pytest

from p2p.bans import BanList
from p2p.gate import RATES_MAX, Gate, Refusal, is_loopback, subnet_of
from p2p.limits import Limits

LIMITS = Limits()


def gate_of(limits: Limits = LIMITS, bans: BanList | None = None) -> Gate[int]:
    return Gate(limits, bans or BanList())


def admit(gate: Gate[int], ip: str, *, now_ms: int = 0, open_count: int = 0) -> Refusal | None:
    return gate.admit(ip, open_count=open_count, now_ms=now_ms)


def test_one_address_gets_four_connections_until_one_is_released() -> None:
    gate = gate_of()
    assert [admit(gate, "10.0.0.1") for _ in range(4)] == [None] * 4
    assert admit(gate, "10.0.0.1") is Refusal.TOO_MANY_FROM_IP
    gate.release("10.0.0.1")
    assert admit(gate, "10.0.0.1") is None


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ("10.0.0.{}", "10.0.1.1"),
        ("2001:db8:1:{}::1", "2001:db8:2::1"),
        ("::ffff:10.0.0.{}", "::ffff:10.0.1.1"),
    ],
)
def test_one_network_gets_sixteen_connections(inside: str, outside: str) -> None:
    gate = gate_of()
    for number in range(1, 5):
        assert [admit(gate, inside.format(number)) for _ in range(4)] == [None] * 4
    assert admit(gate, inside.format(9)) is Refusal.TOO_MANY_FROM_SUBNET
    assert admit(gate, outside) is None
    gate.release(inside.format(1))
    assert admit(gate, inside.format(9)) is None


def test_five_connections_a_second_come_from_one_address() -> None:
    gate = gate_of()
    for _ in range(5):
        assert admit(gate, "10.0.0.1") is None
        gate.release("10.0.0.1")
    assert admit(gate, "10.0.0.1") is Refusal.TOO_FAST
    assert admit(gate, "10.0.0.1", now_ms=200) is None


def test_refused_connection_counts_for_nothing() -> None:
    gate = gate_of()
    for _ in range(10):
        admit(gate, "10.0.0.1")
    for _ in range(4):
        gate.release("10.0.0.1")
    assert admit(gate, "10.0.0.1", now_ms=1_000) is None


def test_banned_address_stays_outside() -> None:
    bans = BanList()
    bans.ban("10.0.0.1", until_ms=100, reason="rude")
    gate = gate_of(bans=bans)
    assert admit(gate, "10.0.0.1") is Refusal.BANNED
    assert admit(gate, "10.0.0.1", now_ms=100) is None


def test_full_house_is_full_for_loopback_too() -> None:
    assert admit(gate_of(), "127.0.0.1", open_count=LIMITS.connections_max) is Refusal.FULL


def test_loopback_and_memory_are_not_counted() -> None:
    gate = gate_of()
    for ip in ("127.0.0.1", "::1", "::ffff:127.0.0.1", ""):
        assert [admit(gate, ip) for _ in range(50)] == [None] * 50
        gate.release(ip)


def test_oldest_handshake_of_the_largest_crowd_makes_room() -> None:
    gate = gate_of(Limits(pending_upgrades=3))
    assert gate.begin(1, "10.0.0.1") is None
    assert gate.begin(2, "10.1.0.1") is None
    assert gate.begin(3, "10.1.0.2") is None
    assert gate.begin(4, "127.0.0.1") == 2
    assert gate.pending == 3
    gate.upgraded(2)
    gate.upgraded(4)
    assert gate.pending == 2


def test_rates_of_many_addresses_are_forgotten_the_idle_ones_first() -> None:
    gate = gate_of()
    admit(gate, "10.0.0.1", now_ms=0)
    gate.release("10.0.0.1")
    for number in range(RATES_MAX - 1):
        ip = f"11.{number >> 8}.{number & 255}.1"
        assert admit(gate, ip, now_ms=10_000) is None
    for _ in range(2):
        assert admit(gate, "12.0.0.1", now_ms=10_000) is None
    assert len(gate._rates) == RATES_MAX  # noqa: SLF001
    assert admit(gate, "12.0.0.2", now_ms=10_000) is None
    assert len(gate._rates) == RATES_MAX  # noqa: SLF001


@pytest.mark.parametrize(
    ("ip", "subnet"),
    [
        ("10.1.2.3", "10.1.2.0/24"),
        ("::ffff:10.1.2.3", "10.1.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
    ],
)
def test_subnet_is_a_24_or_a_48(ip: str, subnet: str) -> None:
    assert subnet_of(ip) == subnet


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("127.9.9.9", True),
        ("::1", True),
        ("memory", True),
        ("10.0.0.1", False),
        ("2001:db8::1", False),
    ],
)
def test_what_is_no_address_is_as_close_as_loopback(ip: str, expected: bool) -> None:
    assert is_loopback(ip) is expected
