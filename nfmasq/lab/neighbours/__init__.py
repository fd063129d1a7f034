"""Ten neighbours: what else runs on routers, each with the sentence that says what is right beside it.

neighbour.py says what a neighbour is, every.py lists them, hairpin.py has the calls that two of them make.
Each other file is a neighbour: it lays rules, addresses and routes as the real program does, on a lab of its
own, with the real daemon on the router.
"""
