"""What a commit does to the state: `apply_commit` runs every transaction and judges evidence."""
