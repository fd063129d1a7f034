"""Helpers: protocols that carry endpoints in their payload, and the engine that edits packets for them.

A helper finds endpoints and can write others in their place (`base`); it never touches a packet. The engine
(`engine`, `stream`, `expecting`) holds packets back, decides whom to trust, splices, and keeps sequence
numbers right. `registry` knows which helpers there are; each has a file of its own.
"""
