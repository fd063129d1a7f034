"""Ten neighbours: what else runs on routers, each with the sentence that says what is right beside it.

neighbour.py says what a neighbour is, every.py lists them; each other file is one of them. A neighbour lays its
rules, addresses and routes as the real program does, on a lab of its own, with the real daemon on the router.
"""
