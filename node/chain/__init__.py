"""The durable chain of one node: executes commits, keeps what they leave, and tells who listens."""
