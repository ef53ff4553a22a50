"""What the standard contracts say about federated tasks, typed, and how a model is replayed."""
