"""The authenticated state: a versioned 16-ary sparse Merkle tree, its proofs, and snapshots."""
