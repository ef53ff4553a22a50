"""Claims about signatures, true and false ones."""

from node.signatures.claims import SignatureClaim
from primitives.hashing import Domain, tagged_hash
from primitives.keys import PrivateKey

KEYS = [PrivateKey.from_seed(bytes([number]) * 32) for number in range(4)]


def true_claim(number: int = 0) -> SignatureClaim:
    """Return a claim that holds; another one for another number."""
    message = number.to_bytes(4, "big")
    key = KEYS[number % len(KEYS)]
    return SignatureClaim(
        key.public.raw,
        tagged_hash(Domain.TRANSACTION, message),
        key.sign(Domain.TRANSACTION, message),
    )


def false_claim(number: int = 0) -> SignatureClaim:
    """Return a claim about the signature of something else."""
    claim = true_claim(number)
    return claim._replace(digest=true_claim(number + 1).digest)
