"""External interfaces and addresses of documents that may be wrong."""

from ipaddress import IPv4Network

from nfmasq.config.outside import externals, pools_of


def test_interfaces_have_their_keys_and_wrong_ones_are_passed_over() -> None:
    assert list(externals({"external": "wan0"})) == [("nat.external", "wan0")]
    several = {"external": ["wan0", 5, "a/b", "wwan0"]}
    assert list(externals(several)) == [("nat.external[0]", "wan0"), ("nat.external[3]", "wwan0")]
    assert list(externals({"external": {"wan0": 1}})) == list(externals({})) == []


def test_addresses_have_their_keys_in_a_list_and_in_a_table() -> None:
    address = IPv4Network("198.51.100.7")
    (listed,) = pools_of({"addresses": ["x", "198.51.100.7"]})
    assert (listed.key, listed.pool, listed.written) == ("nat.addresses[1]", address, "198.51.100.7")
    (named,) = pools_of({"addresses": {"wan0": ["198.51.100.7"], "wan1": "198.51.100.8"}})
    assert (named.key, named.pool) == ("nat.addresses.wan0[0]", address)
    assert pools_of({}) == pools_of({"addresses": 5}) == []
