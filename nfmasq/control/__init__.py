"""The control API: HTTP and JSON on a unix socket.

`listings` has a row for each list; the module of a list's name reads it. `operations` are the routes with
their descriptions, `api` serves them and `openapi` makes the document of them. `running` names the parts of a
running daemon that they ask. `client` asks for the command line; `socket` is where client and daemon meet.
"""
