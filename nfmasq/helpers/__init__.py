"""Helpers: protocols that carry endpoints in their payload, and the engine that edits packets for them.

A helper finds endpoints and renders others in their place (`kit`, `protocols`); it never touches a packet.
The engine sets bytes aside until a dialogue has read them, checks every endpoint, edits the stream, and keeps
sequence numbers right (`engine`). `registry` knows which helpers exist, `switches` for whom each is enabled.
"""
