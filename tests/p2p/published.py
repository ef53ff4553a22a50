"""The golden bytes of js-libp2p, read from tests/vectors/libp2p.json, and what they stand for."""

import json
from pathlib import Path
from typing import Any, Final

from p2p.noise.handshake import NoiseKeys
from p2p.wire.identity import Identity
from tests import vectors

_PATH: Final = Path(vectors.__file__).parent / "libp2p.json"


def published(section: str) -> Any:  # noqa: ANN401 - each section of the file has its own shape
    """Return one section of the file."""
    return json.loads(_PATH.read_text(encoding="ascii"))[section]


class PublishedSide:
    """One side of the published Noise transcript: "initiator" or "responder"."""

    def __init__(self, name: str) -> None:
        row = published("noise_xx")[name]
        self.identity = Identity.from_seed(bytes.fromhex(row["identity_seed"]))
        self.static_public = bytes.fromhex(row["static_public"])
        self.payload = bytes.fromhex(row["payload"])
        self.keys = NoiseKeys(
            static=bytes.fromhex(row["static_private"]),
            ephemeral=bytes.fromhex(row["ephemeral_private"]),
        )


DIALER: Final = PublishedSide("initiator")
LISTENER: Final = PublishedSide("responder")
