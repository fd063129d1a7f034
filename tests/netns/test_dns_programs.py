"""DNS end to end: NSD inside, dig outside, over UDP and TCP, and a zone that is transferred."""

from collections.abc import Iterator

import pytest

from netns.unpacked import directory, listens, running, script
from nfmasq.lab.lab import Lab
from nfmasq.lab.topology import CLIENT2, EXTERNAL, Topology

LAB = {
    "config": {
        "helpers": {"dns": True},
        "forward": [
            {"protocol": protocol, "external_port": 53, "to": f"{CLIENT2}:53"} for protocol in ("tcp", "udp")
        ],
    }
}
ZONE = """
@ 3600 IN SOA ns admin 1 2 3 4 5
@ IN NS ns
@ IN MX 10 mail
ns A 192.168.1.20
mail A 192.168.1.10
www CNAME mail
service HTTPS 1 . alpn=h2 ipv4hint=192.168.1.10,198.51.100.20
public A 198.51.100.20
"""
SIGNED = """
signed A 192.168.1.10
signed RRSIG A 13 3 3600 20300101000000 20200101000000 1 example.test. AAAA
"""
ZONE += "".join(f"many A 192.168.1.{host}\n" for host in range(100, 180))


@pytest.fixture(scope="module", autouse=True)
def server(lab: Lab) -> Iterator[None]:
    """NSD inside."""
    host = lab.topology.client2
    with directory() as place:
        (place / "zone").write_text(ZONE)
        (place / "signed").write_text(ZONE + SIGNED)
        (place / "conf").write_text(f"""
            server:
                username: ""
                chroot: ""
                zonesdir: "{place}"
                database: ""
                pidfile: "{place}/pid"
                xfrdfile: "{place}/xfrd"
                xfrdir: "{place}"
                ip-address: {CLIENT2}
            remote-control:
                control-enable: no
            zone:
                name: example.test
                zonefile: zone
                provide-xfr: 0.0.0.0/0 NOKEY
            zone:
                name: signed.test
                zonefile: signed
                provide-xfr: 0.0.0.0/0 NOKEY
        """)
        with running(
            host, place, f"exec nsd -d -c {place}/conf", ready=lambda: listens(host, 53, "udp"), what="nsd"
        ):
            yield


def dig(net: Topology, *asked: str) -> str:
    """What dig on a host outside prints of the records."""
    with directory() as place:
        command = f"dig +noall +answer +authority +additional @{EXTERNAL} " + " ".join(asked)
        return net.server1.run(*script(place, command))


@pytest.mark.parametrize("way", ["+notcp", "+tcp"])
@pytest.mark.parametrize("asked", ["www.example.test A", "example.test MX", "example.test NS"])
def test_the_outside_sees_the_external_address_in_all_sections(net: Topology, asked: str, way: str) -> None:
    seen = dig(net, asked, way)
    assert str(EXTERNAL) in seen
    assert "192.168." not in seen


@pytest.mark.parametrize("way", ["+notcp", "+tcp"])
def test_hints_and_public_addresses(net: Topology, way: str) -> None:
    assert f"ipv4hint={EXTERNAL},198.51.100.20" in dig(net, "service.example.test HTTPS", way)
    assert "198.51.100.20" in dig(net, "public.example.test A", way)


def test_an_answer_that_is_cut_is_asked_for_over_tcp(net: Topology) -> None:
    seen = dig(net, "many.example.test A", "+bufsize=512")
    assert (
        len([line for line in seen.splitlines() if line.startswith("many.") and str(EXTERNAL) in line]) == 80
    )


def test_a_zone_that_is_transferred(net: Topology) -> None:
    seen = dig(net, "example.test AXFR")
    assert f"mail.example.test.\t3600\tIN\tA\t{EXTERNAL}" in seen
    assert "192.168." not in seen


def test_a_signed_zone_that_is_transferred_stays(net: Topology) -> None:
    seen = dig(net, "signed.test AXFR")
    assert "mail.signed.test.\t3600\tIN\tA\t192.168.1.10" in seen
    assert str(EXTERNAL) not in seen


@pytest.mark.parametrize("way", ["+notcp", "+tcp"])
def test_an_answer_that_is_signed_stays(net: Topology, way: str) -> None:
    """The signature is the answer; the name server's address beside it stays, too."""
    seen = dig(net, "signed.signed.test RRSIG", way)
    assert "RRSIG" in seen
    assert str(CLIENT2) in seen
    assert str(EXTERNAL) not in seen
