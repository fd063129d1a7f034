"""The control API: HTTP and JSON on a unix socket.

`schemas` says what is asked and answered, `api` answers, `client` asks for the command line, `socket` is
where both meet; `page` serves the metrics and a page for people on a TCP port.
"""
