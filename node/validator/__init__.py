"""A seat in the committee: consensus over peers, votes for checkpoints, and who is to blame."""
