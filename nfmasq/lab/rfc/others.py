"""RFCs of which a line or two apply to nfmasq, or none."""

from nfmasq.lab.packets import GRE, SYN, ip, read, tcp
from nfmasq.lab.rfc import gateways
from nfmasq.lab.rfc.ground import Ground
from nfmasq.lab.rfc.not_met import demand
from nfmasq.lab.rfc.requirement import MUST, RECOMMENDED, SHOULD, Rfc
from nfmasq.lab.rfc.way import CLIENT, EXTERNAL, SERVER, port

ALG = Rfc(3235, "NAT-friendly applications; RFC 2993, implications of NAT")
PAYLOADS = Rfc(3022, "traditional NAT; RFC 2694, DNS; RFC 6384, FTP")
DCCP = Rfc(5597, "DCCP")
DETERMINISTIC = Rfc(7422, "deterministic address mapping")
LOGGING = Rfc(8158, "IPFIX for NAT events")
PCP = Rfc(6887, "Port Control Protocol")
NAT_PMP = Rfc(6886, "NAT-PMP")
OTHERS = (PAYLOADS, ALG, DCCP, NAT_PMP, PCP, DETERMINISTIC, LOGGING)


@PAYLOADS.requires("§4", SHOULD, "FTP and ICMP payloads are translated.")
def ftp(ground: Ground) -> None:
    heard = gateways.heard_of(ground)
    demand(heard[0] == EXTERNAL, f"an FTP server hears of {heard[0]}")
    arrived = ground.received(tcp((SERVER, 20), heard, SYN, 1))
    demand(arrived.destination == (CLIENT, gateways.DATA), f"its connection came to {arrived.destination}")


@ALG.requires("§2", MUST, "What needs no gateway passes end to end unchanged.")
def end_to_end(ground: Ground) -> None:
    written = bytes(range(256)) + CLIENT.packed + str(CLIENT).encode()
    stream = ground.open((CLIENT, port()), (SERVER, 443))
    demand(ground.sent(stream.outward(payload=written)).payload == written, "outward the payload was changed")
    back = ground.received(stream.inward(payload=written)).payload
    demand(back == written, "inward the payload was changed")
    packet = ground.out(ip(CLIENT, SERVER, GRE, written)) or b""
    demand(packet[20:] == written and read(packet).source[0] == EXTERNAL, "a tunnel's packet was changed")


DCCP.departs(
    "REQ-1",
    MUST,
    "DCCP is treated like TCP: endpoint-independent mapping, filtering, timers, hairpinning.",
    "DCCP passes by address alone, one internal host to each remote one; Linux has dropped DCCP itself",
)
NAT_PMP.departs(
    "§3", SHOULD, "Hosts ask for mappings by NAT-PMP.", "not built; the administrator makes forwards"
)
PCP.departs("§11", SHOULD, "Hosts ask for mappings by PCP.", "not built; the administrator makes forwards")
DETERMINISTIC.departs(
    "§2",
    RECOMMENDED,
    "A host's address and ports can be computed.",
    "ports are random instead (RFC 6056)",
)
LOGGING.departs("§5", SHOULD, "NAT events are exported by IPFIX.", "not built; metrics and the API tell them")
