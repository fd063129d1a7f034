"""Tables and marks are shared with others: their rules see our packets, their bits stay theirs."""

from collections.abc import Sequence

import pytest
from support.situations import BY_KERNEL, assert_served, nfmasq_only, problems

from netns.conftest import MakeLab
from nfmasq.lab.clients import ping
from nfmasq.lab.foreign import iptables, nft, packets_of
from nfmasq.lab.lab import KERNEL_RULES, Lab
from nfmasq.lab.neighbours import kube_proxy, policy_routing
from nfmasq.lab.neighbours.hairpin import calls_lost, forward, hairpin_rules, many_sessions
from nfmasq.lab.probes import KINDS, address_seen, seen_as
from nfmasq.lab.programs import Servers
from nfmasq.lab.topology import CLIENT2, EXTERNAL, ISP, SERVER1, SERVER2
from nfmasq.lab.waiting import wait_until

BLOCKLIST = f"-i wan0 -s {SERVER2} -m comment --comment blocklist -j DROP"
TAILSCALE = (
    "rule add fwmark 0x80000/0xff0000 lookup main pref 5210",
    "rule add fwmark 0x80000/0xff0000 unreachable pref 5250",
)
OURS = 0x80000000
"""The bit of nat.mark, as it is by default."""


def hairpinning(make_lab: MakeLab, *rules: str, routes: Sequence[str] = ()) -> Lab:
    """A lab in which client2 may call client1 by the external address, beside these rules of others."""

    def prepare(lab: Lab) -> None:
        iptables(lab.topology.router, *rules)
        lab.topology.router.ip(*routes)
        lab.enter(Servers((lab.topology.client1,), lab.payload))

    return make_lab(prepare=prepare, config=forward(), kernel_rules=(*KERNEL_RULES, *hairpin_rules()))


@pytest.mark.parametrize("place", ["-A", "-I"], ids=["behind ours", "before ours"])
@pytest.mark.parametrize("program", ["iptables", "iptables-legacy"])
def test_a_blocklist_in_raw_blocks(make_lab: MakeLab, place: str, program: str) -> None:
    """It is laid after the start, as fail2ban and crowdsec lay theirs."""
    lab = make_lab()
    net = lab.topology
    iptables(net.router, f"-t raw {place} PREROUTING {BLOCKLIST}", program=program)
    wait_until(lambda: seen_as(net.client1, SERVER2, patience=0.2) is None, "the blocklist to block")
    for kind in KINDS:
        assert seen_as(net.client1, SERVER2, kind, patience=0.5) is None
        assert address_seen(net.client1, SERVER1, kind) == str(EXTERNAL)
    assert packets_of(net.router, "raw", "blocklist", program) > 0


def test_a_blocklist_of_nft_in_raw_blocks(make_lab: MakeLab) -> None:
    lab = make_lab()
    net = lab.topology
    nft(
        net.router,
        "table inet crowdsec {\nchain block {\ntype filter hook prerouting priority raw;\n"
        f"iifname wan0 ip saddr {SERVER2} drop\n}}\n}}\n",
    )
    wait_until(lambda: seen_as(net.client1, SERVER2, patience=0.2) is None, "the blocklist to block")
    assert address_seen(net.client1, SERVER1) == str(EXTERNAL)


def test_untracked_dns_is_untracked_and_answered(make_lab: MakeLab) -> None:
    """A busy resolver's rules: DNS is kept out of connection tracking in both directions."""
    lab = make_lab()
    net = lab.topology
    iptables(
        net.router,
        "-t raw -A PREROUTING -p udp --dport 53 -m comment --comment asked -j CT --notrack",
        "-t raw -A PREROUTING -p udp --sport 53 -m comment --comment answered -j CT --notrack",
    )
    if BY_KERNEL:  # what conntrack does not know, MASQUERADE does not translate
        assert seen_as(net.client1, SERVER1, patience=0.3) is None
        lab.sentinel.take()
        assert packets_of(net.router, "raw", "asked") > 0
        return

    def seen() -> bool:
        return (
            address_seen(net.client1, SERVER1, patience=0.5) == str(EXTERNAL)
            and packets_of(net.router, "raw", "answered") > 0
        )

    wait_until(seen, "an answer that the rule saw")
    assert packets_of(net.router, "raw", "asked") > 0


def test_a_reverse_path_filter_in_raw_lets_all_of_it_pass(make_lab: MakeLab) -> None:
    lab = make_lab()
    net = lab.topology
    iptables(
        net.router,
        "-t raw -A PREROUTING -m rpfilter --validmark --invert -m comment --comment strange -j DROP",
    )
    assert_served(lab)
    assert ping(net.client1, SERVER2, count=2).received == 2
    assert packets_of(net.router, "raw", "strange") == 0


def test_a_rule_of_others_for_forwarded_ports_counts_each_call(make_lab: MakeLab) -> None:
    """As hashlimit against floods in raw, for a port that we lead inside."""
    lab = hairpinning(make_lab)
    net = lab.topology
    iptables(net.router, "-t raw -A PREROUTING -i wan0 -p tcp --syn -m comment --comment calls")
    wait_until(
        lambda: seen_as(net.server1, EXTERNAL, "tcp", port=8088) and packets_of(net.router, "raw", "calls"),
        "a call that the rule saw",
    )


@pytest.mark.parametrize("mask", [0x3F00, 0xF000, 0xFF0000], ids=["mwan3", "router firmware", "Tailscale"])
def test_calls_arrive_whatever_bits_route(make_lab: MakeLab, mask: int) -> None:
    """Each value of some bits of the mark leads to a table that knows the way out alone."""
    step = mask & -mask
    routes = [f"route add default via {ISP} dev wan0 table 150"]
    routes += [f"rule add fwmark {step * n:#x}/{mask:#x} lookup 150 pref {2000 + n}" for n in range(1, 16)]
    lab = hairpinning(make_lab, routes=routes)
    assert calls_lost(lab, 12, between=min(step, 256)) == 0
    many_sessions(lab, step if step <= 0x10000 else 0)
    assert calls_lost(lab, 3) == 0


def test_a_connections_mark_is_kept_beside_ours(make_lab: MakeLab) -> None:
    """mwan3's way: the mark is saved with the connection and restored for each packet."""
    made = policy_routing.visit("kernel" if BY_KERNEL else "none")
    assert "calls" in made


def test_marks_of_kube_proxy_are_kept_beside_ours(make_lab: MakeLab) -> None:
    made = kube_proxy.visit("kernel" if BY_KERNEL else "none")
    assert "calls" in made


def test_bits_of_others_stay_as_they_came(make_lab: MakeLab) -> None:
    """Marked in PREROUTING, seen in POSTROUTING: outbound, inbound and in both passes of a call."""
    mark, mask = 0x2A01, 0x0FFFFFFF
    lab = hairpinning(
        make_lab,
        f"-t mangle -A PREROUTING -j MARK --set-xmark {mark:#x}/{mask:#x}",
        *(
            f"-t mangle -A POSTROUTING -o {out} -m mark --mark {mark:#x}/{mask:#x}"
            f" -m comment --comment same-{out}"
            for out in ("lan0", "wan0")
        ),
        *(
            f"-t mangle -A POSTROUTING -o {out} -m mark ! --mark {mark:#x}/{mask:#x} -m addrtype"
            f" ! --src-type LOCAL -m comment --comment other-{out}"
            for out in ("lan0", "wan0")
        ),
    )
    assert_served(lab)
    assert calls_lost(lab, 3) == 0
    for out in ("lan0", "wan0"):
        assert packets_of(lab.topology.router, "mangle", f"same-{out}") > 0
        assert packets_of(lab.topology.router, "mangle", f"other-{out}") == 0


@nfmasq_only("the kernel has no mark of its own")
@pytest.mark.parametrize(
    "laid",
    [
        f"ip rule add fwmark {OURS:#x}/{OURS:#x} lookup 150 pref 2100",
        f"iptables -t mangle -A FORWARD -m mark --mark {OURS:#x}/{OURS:#x} -j DROP",
    ],
    ids=["ip rule", "iptables"],
)
def test_who_reads_our_bit_is_told_in_the_status(make_lab: MakeLab, laid: str) -> None:
    lab = make_lab()
    assert "mark" not in problems(lab)
    lab.topology.router.run(*laid.split())
    wait_until(lambda: "mark" in problems(lab), "the status to name the bit")


@nfmasq_only("the kernel has no mark of its own")
def test_another_bit_can_be_chosen(make_lab: MakeLab) -> None:
    """Somebody reads the usual bit; with another one calls arrive, and the status is well."""

    def prepare(lab: Lab) -> None:
        lab.topology.router.ip(f"rule add fwmark {OURS:#x}/{OURS:#x} unreachable pref 2100")
        lab.enter(Servers((lab.topology.client1,), lab.payload))

    lab = make_lab(prepare=prepare, config={**forward(), "nat": {"mark": 0x40000000}})
    assert calls_lost(lab, 5, between=16) == 0
    assert "mark" not in problems(lab)


def test_rules_of_a_vpn_script_mark_one_host(make_lab: MakeLab) -> None:
    """One LAN host goes by a table of its own, by a mark of mangle; the other does not."""

    def prepare(lab: Lab) -> None:
        lab.topology.router.ip(
            *TAILSCALE,
            "rule add fwmark 0x1 lookup 160 pref 2200",
            f"route add default via {ISP} dev wan0 table 160",
        )
        iptables(
            lab.topology.router,
            f"-t mangle -A PREROUTING -i lan0 -s {CLIENT2} -j MARK --set-xmark 0x1/0xffffffff",
        )

    assert_served(make_lab(prepare=prepare))
