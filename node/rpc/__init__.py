"""The node's API: HTTP and WebSocket for people and programs, with a typed client for both.

Guards: what a stranger can make the node do is bounded in size, time and rate before it is parsed;
what is not public needs a short-lived token; a handler reads the chain and never changes it but
through the mempool. Routes are declared once, in `routes/`, and server and OpenAPI read them there.
"""
