"""How many sessions that began by an announcement are followed: to look them up takes time from all helpers.

Nothing is stored: `standing` has the sessions. A session that is followed no more lives by its own timer
alone. It neither keeps its control session alive, nor ends with it.
"""

from heapq import heapify, heapreplace
from ipaddress import IPv4Address

from nfmasq.helpers.engine.announced import Announced
from nfmasq.helpers.engine.interfaces import Name
from nfmasq.helpers.engine.standing import Standing

MOST_FOLLOWED = 4096
"""Sessions that are followed, of all control sessions."""


def leave_others_alone(standing: Standing) -> None:
    """Forget what is more than MOST_FOLLOWED: the newest sessions of the host that has most."""
    count = len(standing.control_of) - standing.waiting - MOST_FOLLOWED
    if count <= 0:
        return
    of_host: dict[IPv4Address, list[tuple[Name, Announced]]] = {}
    for announced in standing.announced.values():
        of_host.setdefault(announced.host, []).extend((name, announced) for name in announced.data)
    hosts = [(-len(data), host) for host, data in of_host.items()]
    heapify(hosts)
    for _ in range(count):
        most, host = hosts[0]
        name, announced = of_host[host].pop()
        standing.forget(announced, name)
        heapreplace(hosts, (most + 1, host))
