"""Networks of gossip routers under virtual time: how far messages go, what they cost, who lies."""
