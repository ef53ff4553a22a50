"""Proof of stake: validators, share pools, delegation, slashing, rewards, epochs, committees."""
