"""What an operator sets: one `hanse.toml` per node, typed, with variables that override it."""
