"""For whom a helper is enabled, after any changes."""

from ipaddress import IPv4Address, IPv4Network

from hypothesis import given
from hypothesis import strategies as st

from nfmasq.helpers.switches import Switch

LAN = IPv4Network("192.168.0.0/28")
HOSTS = list(LAN)

networks = st.builds(
    lambda low, length: IPv4Network((int(LAN[low]), length), strict=False),
    st.integers(0, 15),
    st.integers(27, 32),
)
changes = st.lists(st.tuples(st.booleans(), st.none() | networks), max_size=8)


@given(st.booleans(), changes)
def test_the_last_change_that_names_a_host_counts(
    begins: bool, made: list[tuple[bool, IPv4Network | None]]
) -> None:
    switch = Switch(begins)
    expected = dict.fromkeys(HOSTS, begins)
    for enabled, network in made:
        switch = switch.with_enabled(enabled, network)
        expected.update(
            dict.fromkeys([host for host in HOSTS if network is None or host in network], enabled)
        )
    assert {host: switch.enabled_for(host) for host in HOSTS} == expected
    assert switch.anywhere or not any(expected.values())


@given(st.booleans(), changes, st.lists(networks, max_size=3))
def test_the_core_gets_the_hosts_it_is_enabled_for(
    begins: bool, made: list[tuple[bool, IPv4Network | None]], internal: list[IPv4Network]
) -> None:
    switch = Switch(begins)
    for enabled, network in made:
        switch = switch.with_enabled(enabled, network)
    told = switch.hosts(internal)
    for host in HOSTS:
        if any(host in network for network in internal):
            means = told is not None and (not told or any(host in network for network in told))
            assert means == switch.enabled_for(host)


def test_networks_that_say_what_holds_anyway_are_forgotten() -> None:
    wide, narrow = IPv4Network("10.0.0.0/8"), IPv4Network("10.1.0.0/16")
    switch = Switch(True).with_enabled(False, wide).with_enabled(True, narrow)
    assert switch.networks == ((narrow, True), (wide, False))
    assert switch.enabled_for(IPv4Address("10.1.2.3"))
    assert not switch.enabled_for(IPv4Address("10.2.2.3"))
    assert switch.with_enabled(False, narrow).networks == ((wide, False),)
    assert switch.with_enabled(True, wide).networks == ()
    assert switch.with_enabled(False) == Switch(False)
