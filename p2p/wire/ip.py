"""Read IP addresses as the networks they come from, for whoever counts or spreads peers.

A door for both versions shows an IPv4 peer as ::ffff:a.b.c.d. Read as IPv6, all of IPv4 would be
one network, and one that counts as private.
"""

import ipaddress
from typing import TypeAlias

Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address


def parse_ip(text: str) -> Ip | None:
    """Return the address, an IPv4 one if it is mapped into IPv6; None for what is no IP."""
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip


def network_text(ip: Ip, *, bits: int) -> str:
    """Return the network of so many bits that an address is in, "10.1.0.0/16" for instance."""
    return str(ipaddress.ip_network((ip, bits), strict=False))
