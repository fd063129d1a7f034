"""Supervisors of a router of their own, and diversions for them."""

from typing import Any

from nfmasq._fastpath import Table
from nfmasq.config import Config, parse
from nfmasq.daemon.helping import Helping
from nfmasq.daemon.supervise import Supervisor
from nfmasq.diversion import Diversion, DiversionPlan, DiversionUnavailable, probe
from nfmasq.lab.namespace import Namespace
from support.behind import filled

QUEUES = (100, 1)
NO_FILE = "/dev/null/forwards"


def configured(**nat: Any) -> Config:
    """A configuration for the router's interfaces."""
    return parse({"nat": {"internal": ["lan0"], "external": "wan0", **nat}, "engine": {"forwards": NO_FILE}})


class Refusing:
    """A diversion whose rules the kernel does not take."""

    name = "refusing"
    stands_in: frozenset[str] = frozenset()

    def install(self, plan: DiversionPlan) -> None:
        """Refuse."""
        raise DiversionUnavailable("no such expression")

    def remove(self) -> None:
        """Nothing is there."""

    def present(self) -> bool:
        """Never."""
        return False


class Recording:
    """A diversion that lays no rules and remembers what it was asked for."""

    name = "recording"
    stands_in: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.plans: list[DiversionPlan] = []

    def install(self, plan: DiversionPlan) -> None:
        """Remember it."""
        self.plans.append(plan)

    def remove(self) -> None:
        """Nothing is there."""

    def present(self) -> bool:
        """As far as anybody knows."""
        return True


def supervisor(router: Namespace, diversion: Diversion | None = None) -> Supervisor:
    """A supervisor for the router, not begun."""
    return supervised(filled(), diversion or router.call(probe))


def supervised(table: Table, diversion: Diversion, config: Config | None = None) -> Supervisor:
    """A supervisor of this table, not begun; the helpers' thread does not run."""
    config = config or configured()
    return Supervisor(config, table, diversion, QUEUES, Helping(config, table))


def rules(router: Namespace) -> str:
    """All rules of the router."""
    return router.run("iptables-save") + router.run("nft", "--stateless", "list", "ruleset")
