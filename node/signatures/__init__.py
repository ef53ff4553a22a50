"""Ed25519 signatures on the hot paths: checked in batches, beside the node, and once only."""
