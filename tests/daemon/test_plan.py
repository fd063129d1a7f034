"""The diversion's plan: every key in its place, and made anew only for what changed."""

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from support.supervisors import configured
from support.surroundings import surrounded

from nfmasq.daemon.plan import Planned
from nfmasq.diversion import External

EXTERNAL = IPv4Address("203.0.113.2")
LAN, PUBLIC, SITE = map(IPv4Network, ("192.168.1.0/24", "198.18.5.0/28", "198.51.100.0/24"))


def test_every_key_arrives_in_its_place() -> None:
    config = configured(
        ports="1024-2000, 3000-4000",
        low_ports="600-1023",
        unguarded=["wg0"],
        mark=16,
        **{"except": ["10.8.0.0/16"]},
    )
    here = replace(surrounded((EXTERNAL,), (LAN,)), untranslated=(PUBLIC,), elsewhere=(SITE,))
    plan = Planned((100, 16)).plan(config, here, None)
    assert plan.internal == ("lan0",)
    assert plan.externals == (External("wan0", (EXTERNAL,)),)
    assert (plan.networks, plan.untranslated, plan.elsewhere) == ((LAN,), (PUBLIC,), (SITE,))
    assert plan.ports == ((600, 2000), (3000, 4000))
    assert (plan.queues, plan.mark, plan.hairpinning) == ((100, 16), 16, True)
    assert (plan.unguarded, plan.exempt) == (("wg0",), (IPv4Network("10.8.0.0/16"),))


def test_the_same_surroundings_have_the_same_plan() -> None:
    config, planned = configured(), Planned((100, 16))
    here = surrounded((EXTERNAL,), (LAN,))
    first = planned.plan(config, here, None)
    assert planned.plan(config, here, None) is first
    assert planned.plan(config, surrounded((EXTERNAL,), (LAN, PUBLIC)), None) != first


def test_ports_in_use_beyond_the_range_are_diverted_too() -> None:
    config, planned = configured(ports="2000-2999", low_ports=""), Planned((100, 16))
    here = surrounded((EXTERNAL,), (LAN,))
    plan = planned.plan(config, here, None, ((1500, 1600), (3000, 3001)))
    assert plan.merged_ports == ((1500, 1600), (2000, 3001))
    assert planned.plan(config, here, None, ()).merged_ports == ((2000, 2999),)
