"""All neighbours, in the order of the tour."""

from nfmasq.lab.neighbours import (
    bridge,
    containers,
    dialled,
    firewalls,
    flush,
    kube_proxy,
    policy_routing,
    public_network,
    second_uplink,
    virtual_address,
)

EVERY = (
    firewalls.NEIGHBOUR,
    containers.NEIGHBOUR,
    kube_proxy.NEIGHBOUR,
    policy_routing.NEIGHBOUR,
    virtual_address.NEIGHBOUR,
    second_uplink.NEIGHBOUR,
    dialled.NEIGHBOUR,
    bridge.NEIGHBOUR,
    public_network.NEIGHBOUR,
    flush.NEIGHBOUR,
)
