"""The rules of well-known programs are judged by what they match: most leave our packets alone."""

from dataclasses import replace
from ipaddress import IPv4Network

import pytest
from support.path import Path

from nfmasq.diversion import DiversionPlan, foreign, foreign_marks, foreign_problems
from nfmasq.diversion.foreign_rules import ALL_BITS, Condition, Packets, Rule, reads, used_bits
from nfmasq.diversion.iptables import IptablesDiversion

pytestmark = pytest.mark.root

DOCKER = """\
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
"""
LIBVIRT = """\
:LIBVIRT_PRT - [0:0]
-A POSTROUTING -j LIBVIRT_PRT
-A LIBVIRT_PRT -s 192.168.122.0/24 -d 224.0.0.0/24 -j RETURN
-A LIBVIRT_PRT -s 192.168.122.0/24 -d 255.255.255.255/32 -j RETURN
-A LIBVIRT_PRT -s 192.168.122.0/24 ! -d 192.168.122.0/24 -p tcp -j MASQUERADE --to-ports 1024-65535
-A LIBVIRT_PRT -s 192.168.122.0/24 ! -d 192.168.122.0/24 -p udp -j MASQUERADE --to-ports 1024-65535
-A LIBVIRT_PRT -s 192.168.122.0/24 ! -d 192.168.122.0/24 -j MASQUERADE
"""
KUBE_PROXY = """\
:KUBE-MARK-MASQ - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-SERVICES - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -m comment --comment "service traffic requiring SNAT" -j MASQUERADE --random-fully
-A KUBE-SERVICES ! -s 10.244.0.0/16 -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j KUBE-MARK-MASQ
"""
TAILSCALE = """\
:ts-postrouting - [0:0]
-A POSTROUTING -j ts-postrouting
-A ts-postrouting -m mark --mark 0x40000/0xff0000 -j MASQUERADE
"""
PODMAN = """\
:NETAVARK-1D8721804F16F - [0:0]
:NETAVARK-HOSTPORT-MASQ - [0:0]
-A POSTROUTING -j NETAVARK-HOSTPORT-MASQ
-A POSTROUTING -s 10.88.0.0/16 -j NETAVARK-1D8721804F16F
-A NETAVARK-1D8721804F16F -d 10.88.0.0/16 -j ACCEPT
-A NETAVARK-1D8721804F16F ! -d 224.0.0.0/4 -j MASQUERADE
-A NETAVARK-HOSTPORT-MASQ -m comment --comment "portfw masq mark" -m mark --mark 0x2000/0x2000 -j MASQUERADE
"""
FLANNEL = """\
:FLANNEL-POSTRTG - [0:0]
-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -j RETURN
-A FLANNEL-POSTRTG -s 10.244.1.0/24 -d 10.244.0.0/16 -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -j MASQUERADE --random-fully
"""
NEIGHBOURS = {
    "docker": DOCKER,
    "libvirt": LIBVIRT,
    "kube-proxy": KUBE_PROXY,
    "tailscale": TAILSCALE,
    "podman": PODMAN,
    "flannel": FLANNEL,
}
KUBE_PROXY_NFT = """\
table ip kube-proxy {
	chain masquerading {
		meta mark & 0x4000 == 0x0 return
		meta mark set meta mark ^ 0x4000
		masquerade fully-random
	}
	chain nat-postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		jump masquerading
	}
}
"""
DOCKER_NFT = """\
table ip docker-bridges {
	map nat-postrouting-out {
		type ifname : verdict
		elements = { "docker0" : jump nat-out__docker0 }
	}
	chain nat-out__docker0 {
		oifname != "docker0" ip saddr 172.17.0.0/16 masquerade
	}
	chain nat-postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname != "docker0" ip saddr 172.17.0.0/16 masquerade
	}
}
"""
FIREWALLD = """\
table inet firewalld {
	chain nat_POST_public_allow {
		meta nfproto ipv4 oifname != "lo" masquerade
	}
	chain nat_POST_public {
		jump nat_POST_public_allow
	}
	chain nat_POSTROUTING {
		type nat hook postrouting priority srcnat + 10; policy accept;
		oifname "wan0" goto nat_POST_public
	}
}
"""


def _lay(path: Path, program: str, text: str, table: str = "nat") -> None:
    path.router.run(f"/usr/sbin/{program}-restore", "--noflush", input=f"*{table}\n{text}COMMIT\n")


@pytest.fixture
def whole(plan: DiversionPlan) -> DiversionPlan:
    """The plan of a router that has a route to a cluster's network by an interface of the cluster."""
    return replace(plan, elsewhere=(IPv4Network("10.244.0.0/16"), IPv4Network("172.17.0.0/16")))


@pytest.mark.parametrize("program", ["iptables", "iptables-legacy"])
@pytest.mark.parametrize("name", NEIGHBOURS)
def test_what_neighbours_translate_is_not_ours(
    path: Path, whole: DiversionPlan, program: str, name: str
) -> None:
    _lay(path, program, NEIGHBOURS[name])
    assert path.router.call(foreign.problems, whole) == []


@pytest.mark.parametrize("text", [KUBE_PROXY_NFT, DOCKER_NFT])
def test_what_neighbours_translate_by_nft_is_not_ours(path: Path, whole: DiversionPlan, text: str) -> None:
    path.router.run("nft", "-f", "-", input=text)
    assert path.router.call(foreign.problems, whole) == []


@pytest.mark.parametrize("program", ["iptables", "iptables-legacy"])
@pytest.mark.parametrize(
    ("rules", "culprit"),
    [
        ("-A POSTROUTING -o wan0 -j MASQUERADE\n", "-o wan0 -j MASQUERADE"),
        ("-A POSTROUTING -s 192.168.0.0/16 -j SNAT --to-source 203.0.113.1\n", "--to-source"),
        ("-A POSTROUTING ! -d 192.168.1.0/24 -o wan+ -p tcp -j MASQUERADE\n", "-p tcp"),
        (":mine - [0:0]\n-A POSTROUTING -o wan0 -g mine\n-A mine -j MASQUERADE\n", "-A mine"),
        ("-A POSTROUTING -m mark --mark 0x0/0xff -j MASQUERADE\n", "--mark"),
        ("-A POSTROUTING -s 192.168.1.64/26 -o wan0 -j ACCEPT\n-A POSTROUTING -j MASQUERADE\n", "MASQUERADE"),
    ],
)
def test_a_forgotten_rule_is_found_wherever_it_hides(
    path: Path, whole: DiversionPlan, program: str, rules: str, culprit: str
) -> None:
    _lay(path, program, DOCKER + rules)
    found = path.router.call(foreign.problems, whole)
    assert len(found) == 1
    assert culprit in found[0]
    assert "wan0" in found[0]


@pytest.mark.parametrize("program", ["iptables", "iptables-legacy"])
@pytest.mark.parametrize(
    "rules",
    [
        "-A POSTROUTING -o wan0 -j ACCEPT\n-A POSTROUTING -j MASQUERADE\n",
        ":mine - [0:0]\n-A POSTROUTING -j mine\n-A mine -o wan0 -j RETURN\n-A mine -j MASQUERADE\n",
        "-A POSTROUTING -m owner --uid-owner 0 -j MASQUERADE\n",
        "-A POSTROUTING -d 10.244.3.0/24 -j MASQUERADE\n",
        ":unused - [0:0]\n-A unused -j MASQUERADE\n",
    ],
)
def test_a_rule_that_our_packets_never_meet_is_not_found(
    path: Path, whole: DiversionPlan, program: str, rules: str
) -> None:
    _lay(path, program, rules)
    assert path.router.call(foreign.problems, whole) == []


def test_masquerading_by_firewalld_is_found_through_its_chains(path: Path, whole: DiversionPlan) -> None:
    path.router.run("nft", "-f", "-", input=FIREWALLD)
    found = path.router.call(foreign.problems, whole)
    assert len(found) == 1
    assert "nat_POST_public_allow" in found[0]


def test_an_accept_before_our_jumps_is_found(path: Path, whole: DiversionPlan) -> None:
    path.router.run(
        "iptables", *["-t", "raw", "-A", "PREROUTING", "-i", "wan0", "-s", "203.0.113.7", "-j", "ACCEPT"]
    )
    path.router.run("iptables", *["-t", "raw", "-A", "PREROUTING", "-i", "eth9", "-j", "ACCEPT"])
    path.router.run("iptables", *["-t", "raw", "-A", "PREROUTING", "-j", "CT", "--notrack"])
    ours = IptablesDiversion()
    path.router.call(ours.install, whole)
    found = path.router.call(foreign_problems, whole)
    assert len(found) == 1
    assert "203.0.113.7" in found[0]


def _marks(path: Path, bit: int) -> foreign_marks.Marks:
    found: foreign_marks.Marks = path.router.call(foreign_marks.marks, ("lan0",), bit)
    return found


@pytest.mark.parametrize("program", ["iptables", "iptables-legacy"])
def test_bits_of_others_are_told_apart_and_a_free_one_is_named(path: Path, program: str) -> None:
    _lay(path, program, KUBE_PROXY)
    _lay(
        path,
        program,
        "-A PREROUTING -j CONNMARK --restore-mark --nfmask 0xff0000 --ctmask 0xff0000\n",
        "mangle",
    )
    _lay(path, program, "-A FORWARD -m mark --mark 0x40000000/0xc0000000 -j ACCEPT\n", "filter")
    assert len(_marks(path, 0x4000).writing) == 2
    assert len(_marks(path, 0x10000).writing) == 1
    assert len(_marks(path, 0x40000000).reading) == 1
    high = _marks(path, 0x80000000)
    assert (high.writing, high.reading) == ([], [])
    assert high.free == 0x20000000
    lines = path.router.call(foreign_marks.problems, ("lan0",), 0x10000)
    assert len(lines) == 1
    assert "nat.mark = 0x20000000" in lines[0]


def test_a_whole_mark_that_is_set_overwrites_any_bit(path: Path) -> None:
    _lay(path, "iptables", "-A PREROUTING -i lan0 -j MARK --set-mark 0x1\n", "mangle")
    found = _marks(path, 0x80000000)
    assert len(found.writing) == 1
    assert found.free & 0x1 == 0


@pytest.mark.parametrize(
    ("rule", "bit", "count"),
    [
        ("fwmark 0x80000000/0x80000000", 0x80000000, 1),
        ("fwmark 0x100/0x3f00", 0x100, 1),
        ("fwmark 0x100/0x3f00", 0x80000000, 0),
        ("fwmark 0x1", 0x80000000, 0),
        ("fwmark 0x1", 0x1, 1),
        ("not fwmark 0x80000", 0x80000, 1),
    ],
)
def test_a_routing_rule_that_the_bit_would_trigger_is_found(
    path: Path, rule: str, bit: int, count: int
) -> None:
    path.router.ip(f"rule add {rule} lookup 100")
    found = _marks(path, bit)
    assert len(found.reading) == count
    assert not any(found.free & used for used in (0x1, 0x3F00, 0x80000) if rule.endswith(f"{used:#x}"))


def test_marks_by_nft_are_read_bit_by_bit(path: Path) -> None:
    rules = "meta mark set meta mark & 0xffff00ff | 0x100; meta mark & 0x10000 == 0x10000 accept"
    path.router.run(
        "nft", f"table ip mine {{ chain c {{ type filter hook prerouting priority 0; {rules}; }}; }}"
    )
    assert len(_marks(path, 0x100).writing) == 1
    assert len(_marks(path, 0x10000).reading) == 1
    assert _marks(path, 0x80000000) == foreign_marks.Marks(free=0x40000000)


def test_what_cannot_be_read_may_match() -> None:
    packets = Packets(("wan0",), sources=(IPv4Network("192.168.1.0/24"),), mark=0)
    unknown, named_set = Condition(""), Condition("source", None)
    elsewhere = Condition("out", ("eth9",))
    assert packets.match(Rule("r", (unknown,))) is None
    assert packets.match(Rule("r", (named_set,))) is None
    assert packets.match(Rule("r", (unknown, elsewhere))) is False
    assert packets.match(Rule("r")) is True


def test_a_whole_mark_counts_by_its_own_bits() -> None:
    whole = Rule("r", (Condition("mark", ((0x5, ALL_BITS),)),), writes=ALL_BITS)
    assert used_bits(whole) == 0x5
    assert not reads(whole, 0x1)
