"""The command line's side of the control API: HTTP on a unix socket, with the standard library alone.

Every client command imports it, so it imports little.
"""

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode

DEFAULT_SOCKET = "/run/nfmasq/control.sock"
_PAGE = 5000

Answer = dict[str, Any]


class Part(NamedTuple):
    """Some rows of a list, and the `after` that gives the next ones; None at the end."""

    rows: list[Answer]
    following: Any


class NotReachable(Exception):
    """No daemon answers on the socket."""


class NotPermitted(Exception):
    """The caller may not use the socket."""


class Refused(Exception):
    """The daemon answered with an error. status: of HTTP; answer: its whole object."""

    def __init__(self, status: int, answer: Answer) -> None:
        super().__init__(answer.get("error", f"the daemon answered with status {status}"))
        self.status = status
        self.answer = answer


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Client:
    """One connection to the daemon for each question. Raises NotReachable, NotPermitted and Refused."""

    def __init__(self, path: str = DEFAULT_SOCKET, timeout: float = 30.0) -> None:
        self.path = path
        self._timeout = timeout

    def get(self, path: str, **parameters: object) -> Answer:
        """GET, with the parameters that are not None."""
        given = {name: value for name, value in parameters.items() if value is not None}
        return self._ask("GET", f"{path}?{urlencode(given)}" if given else path, None)

    def post(self, path: str, body: Answer | None = None) -> Answer:
        """POST a JSON object."""
        return self._ask("POST", path, body or {})

    def put(self, path: str, body: Answer) -> Answer:
        """PUT a JSON object."""
        return self._ask("PUT", path, body)

    def delete(self, path: str) -> Answer:
        """DELETE."""
        return self._ask("DELETE", path, None)

    def rows(self, name: str, limit: int = 0, **filters: object) -> Iterator[Part]:
        """A list part by part, up to `limit` rows (0: all)."""
        left = limit
        while True:
            page = min(_PAGE, left) if limit else _PAGE
            answer = self.get(f"/v1/{name}", limit=page, **filters)
            part = answer[name]
            yield Part(part, answer["next"])
            left -= len(part)
            if answer["next"] is None or (limit and left <= 0):
                return
            filters["after"] = answer["next"]

    def _ask(self, method: str, path: str, body: Answer | None) -> Answer:
        connection = _UnixConnection(self.path, self._timeout)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"} if content else {})
            response = connection.getresponse()
            return _read(response.status, response.read())
        except PermissionError:
            raise NotPermitted(
                f"no permission to use {self.path}: run this with sudo, or as a member of the socket's group"
            ) from None
        except (FileNotFoundError, ConnectionRefusedError):
            raise NotReachable(
                f"no daemon answers on {self.path}: start it with `systemctl start nfmasq` or `nfmasq run`, "
                "or name its socket with --socket"
            ) from None
        except TimeoutError:
            raise NotReachable(
                f"the daemon on {self.path} does not answer within {self._timeout:.0f} s"
            ) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise NotReachable(
                f"the program that answers on {self.path} is not nfmasq or just ended ({str(error).strip()})"
            ) from None
        finally:
            connection.close()


def _read(status: int, content: bytes) -> Answer:
    answer = json.loads(content)
    if not isinstance(answer, dict):
        raise ValueError("not a JSON object")
    if status != http.client.OK:
        raise Refused(status, answer)
    return answer
