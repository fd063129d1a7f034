"""What the core can hold: the control path and the compiled core have the same numbers, and refuse more."""

from collections.abc import Callable
from ipaddress import IPv4Network

import pytest
from support.router import CLIENT, EXTERNAL, Router, policy

from nfmasq import _fastpath
from nfmasq.core import limits
from nfmasq.core.limits import TooMany
from nfmasq.core.policy import EVERYWHERE, Forward, ForwardTarget, HelperPort, NetworkBehaviour, Policy


def test_both_have_the_same_numbers() -> None:
    ours = {name: number for name, number in vars(limits).items() if name.startswith("MOST_")}
    assert ours == _fastpath.limits()


def networks(count: int) -> tuple[IPv4Network, ...]:
    """As many networks, none of which overlap."""
    return tuple(IPv4Network((0x0A000000 + (number << 8), 24)) for number in range(count))


def with_addresses(count: int) -> Policy:
    """A pool of so many."""
    return policy(external=tuple(EXTERNAL + number for number in range(count)))


def with_internal(count: int) -> Policy:
    """So many networks behind the router."""
    return policy(internal=networks(count))


def with_behaviours(count: int) -> Policy:
    """So many behaviours, the one for everywhere included."""
    own = tuple(NetworkBehaviour(network) for network in networks(count - 1))
    return policy(behaviours=(*own, NetworkBehaviour(EVERYWHERE)))


def with_forwards(count: int) -> Policy:
    """So many forwards with a target each."""
    return policy(forwards=(Forward(6, None, (80, 80), (ForwardTarget(CLIENT),)),) * count)


def with_targets(count: int) -> Policy:
    """One forward with so many targets."""
    return policy(forwards=(Forward(6, None, (80, 80), (ForwardTarget(CLIENT),) * count),))


def with_helper_ports(count: int) -> Policy:
    """One helper on so many ports."""
    return policy(helper_ports=tuple(HelperPort(1, 6, 1 + number) for number in range(count)))


def with_helper_networks(count: int) -> Policy:
    """One helper for so many networks."""
    return policy(helper_ports=(HelperPort(1, 6, 21, networks(count)),))


def with_helpers(count: int) -> Policy:
    """A helper of this number."""
    return policy(helper_ports=(HelperPort(count, 6, 21),))


@pytest.mark.parametrize(
    ("most", "made", "what"),
    [
        (limits.MOST_EXTERNAL_ADDRESSES, with_addresses, "external addresses"),
        (limits.MOST_INTERNAL_NETWORKS, with_internal, "internal networks"),
        (limits.MOST_BEHAVIOURS, with_behaviours, "networks with a behaviour of their own"),
        (limits.MOST_FORWARDS, with_forwards, "forwards"),
        (limits.MOST_FORWARD_TARGETS, with_targets, "targets of forwards"),
        (limits.MOST_HELPER_PORTS, with_helper_ports, "ports of helpers"),
        (limits.MOST_HELPER_NETWORKS, with_helper_networks, "networks of helpers"),
        (limits.MOST_HELPERS, with_helpers, "helpers"),
    ],
)
def test_the_core_holds_as_many_and_names_what_is_one_too_many(
    most: int, made: Callable[[int], Policy], what: str
) -> None:
    router = Router()
    router.table.configure(made(most))
    with pytest.raises(TooMany) as told:
        router.table.configure(made(most + 1))
    most, count = (most - 1, most) if "behaviour" in what else (most, most + 1)
    assert str(told.value) == f"{count} {what}: the core holds {most} at most"
