"""yamux, /yamux/1.0.0: many streams with flow control over one ordered channel, without I/O."""
