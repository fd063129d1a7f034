"""RFC 7857, updates to the behavioural requirements of RFC 4787, 5382 and 5508."""

from ipaddress import IPv4Address

from nfmasq.core.policy import Filtering, Timeouts
from nfmasq.lab.packets import (
    ACK,
    ECHO_REPLY,
    FIN,
    ICMP,
    RST,
    SYN,
    error,
    query,
    read,
    tcp,
    udp,
    word_at,
)
from nfmasq.lab.rfc import hairpin, rfc4787
from nfmasq.lab.rfc.core import Core, behaving
from nfmasq.lab.rfc.ground import Ground
from nfmasq.lab.rfc.not_met import demand
from nfmasq.lab.rfc.requirement import MAY, MUST, RECOMMENDED, SHOULD, Rfc
from nfmasq.lab.rfc.rfc5382 import ESTABLISHED, TRANSITORY
from nfmasq.lab.rfc.rfc6056 import spread
from nfmasq.lab.rfc.way import CLIENT, EXTERNAL, OTHER_CLIENT, OTHER_SERVER, SERVER, port

RFC = Rfc(7857, "updates to UDP, TCP and ICMP")
OTHER_EXTERNAL = EXTERNAL + 1


@RFC.requires("§2", SHOULD, "TCP is tracked by the state machine of RFC 6146.")
def state_machine(_: Ground) -> None:
    opening, core = Core(), Core()
    opening.sent(tcp((CLIENT, 4000), (SERVER, 80), SYN, 1000))
    demand(opening.wait(TRANSITORY + 1) == 1, "a lone SYN lasts longer than the transitory timer")
    stream = core.open((CLIENT, 4000))
    for direction in ("out", "in"):
        core.wait(TRANSITORY + 1)
        demand(stream.works(), "an open connection lasts no longer than the transitory timer")
        if direction == "out":
            core.sent(stream.outward(FIN | ACK))
    core.received(stream.inward(FIN | ACK))
    demand(core.wait(TRANSITORY + 1) == 1, "closed by both, it lasts longer than the transitory timer")
    reset = core.open((CLIENT, 4001))
    core.received(reset.inward(RST | ACK))
    demand(reset.works(), "after an RST that was not believed, data does not pass")
    core.wait(ESTABLISHED - 1)
    demand(reset.works(), "an RST that was not believed shortened the connection's life")


@RFC.requires("§2.1", SHOULD, "The timers of connections that open and that close can be set apart.")
def opening_and_closing(ground: Ground) -> None:
    core = Core(timeouts=Timeouts(tcp_opening=30, tcp_closing=600))
    core.sent(tcp((CLIENT, 4000), (SERVER, 80), SYN, 1000))
    core.wait(29)
    demand(len(core.table.sessions()) == 1, "an opening connection was forgotten before its time")
    demand(core.wait(2) == 1, "an opening connection lasts longer than tcp_opening")
    stream = core.open((CLIENT, 4001))
    stream.close()
    core.wait(599)
    demand(len(core.table.sessions()) == 1, "a closed connection was forgotten before its time")
    demand(core.wait(2) == 1, "a closed connection lasts longer than tcp_closing")
    half_open = port()
    with ground.config(timeouts={"tcp_opening": 30, "tcp_closing": 600}):
        ground.sent(tcp((CLIENT, half_open), (SERVER, 80), SYN, 1000))
        closed = ground.open((CLIENT, port()))
        closed.close()
        left = {row["internal"]: row["expires_s"] for row in ground.daemon.api("/v1/sessions")["sessions"]}
    demand(0 < left[f"{CLIENT}:{half_open}"] <= 30, f"the daemon's opening one has {left} seconds")
    demand(500 < left[f"{CLIENT}:{closed.client[1]}"] <= 600, f"the daemon's closed one has {left} seconds")


@RFC.requires("§2.1-default", RECOMMENDED, "The transitory timer is at least 4 minutes by default.")
def transitory_default(_: Ground) -> None:
    core = Core()
    stream = core.open((CLIENT, 4000))
    stream.close()
    core.wait(TRANSITORY - 1)
    demand(core.into(stream.inward()) is not None, "a closed connection was forgotten within 4 minutes")


@RFC.requires("§2.2", MUST, "An RST of a known connection is translated.")
def reset_translated(ground: Ground) -> None:
    inward, outward = ground.open((CLIENT, port())), ground.open((CLIENT, port()))
    seen = ground.received(inward.inward(RST))
    demand((seen.destination, seen.flags) == (inward.client, RST), f"inward it became {seen}")
    seen = ground.sent(outward.outward(RST | ACK))
    demand((seen.source, seen.flags) == (outward.external, RST | ACK), f"outward it became {seen}")


@RFC.requires("§2.2-state", SHOULD, "After an RST the session stays for 4 minutes.")
def reset_lingers(_: Ground) -> None:
    core = Core()
    stream = core.open((CLIENT, 4000))
    core.received(stream.inward(RST))
    core.wait(TRANSITORY - 1)
    demand(len(core.table.sessions()) == 1, "the session was gone before 4 minutes were over")
    demand(core.wait(2) == 1, "the session stays longer")


RFC.departs(
    "§3",
    MAY,
    "With endpoint-dependent mapping, one external port serves several destinations.",
    "an external port is shared only while none is free (nat.share_ports), whatever the mapping",
)


@RFC.requires("§4", SHOULD, "A host whose paired address has no port left gets none of another address.")
def strict_pairing(_: Ground) -> None:
    core = Core(
        external=(EXTERNAL, OTHER_EXTERNAL), ports=((5000, 5009),), ports_per_host=100, share_ports=False
    )
    for number in range(10):
        core.mapped((CLIENT, 4000 + number))
    demand(core.out(udp((CLIENT, 5000), (SERVER, 700))) is None, "an eleventh mapping uses the other address")
    filled = read(core.out(udp((CLIENT, 4000), (SERVER, 700))) or b"").source[0]
    others = {core.mapped((OTHER_CLIENT + each, 4000))[0] for each in range(5)}
    demand(others == {EXTERNAL, OTHER_EXTERNAL} - {filled}, f"other hosts, with one address full: {others}")


@RFC.requires("§5", MUST, "By default a mapping is of one protocol: TCP and UDP do not share it.")
def mapping_by_protocol(ground: Ground) -> None:
    number = port()
    by_udp = ground.mapped((CLIENT, number))
    refused = ground.into(tcp((SERVER, 700), by_udp, SYN, 5000))
    demand(refused is None, "TCP comes in by UDP's mapping")
    core = Core(ports=((5000, 5001),))
    pair = {core.mapped((CLIENT, 4000)), core.mapped((CLIENT, 4001))}
    by_tcp = {core.open((CLIENT, each)).external for each in (4002, 4003)}
    demand(pair == by_tcp, "UDP's ports are missing for TCP")


@RFC.requires("§6", MUST, "By default filtering is of one protocol: UDP sent out lets no TCP in.")
def filtering_by_protocol(_: Ground) -> None:
    core = Core(ports=((5000, 5000),), behaviours=behaving(filtering=Filtering.ADDRESS_DEPENDENT))
    core.mapped((CLIENT, 4000), (OTHER_SERVER, 700))
    external = core.open((CLIENT, 4000)).external
    demand(core.into(tcp((OTHER_SERVER, 80), external, SYN, 5000)) is None, "UDP sent out lets TCP in")
    core.configure(behaviours=behaving(filtering=Filtering.ENDPOINT_INDEPENDENT))
    demand(core.into(tcp((OTHER_SERVER, 80), external, SYN, 5000)), "endpoint-independent lets no TCP in")


@RFC.requires("§7", SHOULD, "Inbound packets that are refused do not refresh the mapping.")
def refused_inbound(_: Ground) -> None:
    core = Core(behaviours=behaving(filtering=Filtering.ENDPOINT_INDEPENDENT), sessions_per_host=1)
    external = core.mapped((CLIENT, 4000))
    core.wait(250)
    demand(not core.lets_in((OTHER_SERVER, 700), external), "a session over the limit came in")
    demand(core.wait(51) == 1, "the mapping was refreshed by a packet that was refused")


@RFC.requires("§7.1", SHOULD, "Outbound ICMP errors and RSTs, as answers, do not refresh the mapping.")
def outbound_errors(_: Ground) -> None:
    core = Core()
    core.mapped((CLIENT, 4000))
    core.wait(250)
    core.sent(error(CLIENT, SERVER, udp((SERVER, 700), (CLIENT, 4000))))
    demand(core.wait(51) == 1, "the mapping was refreshed by an ICMP error of its host")
    stream = core.open((CLIENT, 4001))
    core.wait(ESTABLISHED - 100)
    core.sent(stream.outward(RST | ACK))
    demand(core.wait(TRANSITORY + 1) == 1, "the mapping was refreshed by an RST of its host")


@RFC.requires("§8", SHOULD, "Port parity can be asked for; it may be off otherwise.")
def parity(ground: Ground) -> None:
    rfc4787.parity(ground)


@RFC.requires("§9", SHOULD, "Ports are chosen at random, as RFC 6056 says.")
def random_ports(_: Ground) -> None:
    spread()


@RFC.requires("§10", SHOULD, "IP identifications of fragmentable packets stay unique (RFC 6864).")
def identification(ground: Ground) -> None:
    arrived = []
    for host in (CLIENT, OTHER_CLIENT):
        packet = ground.out(udp((host, port()), (SERVER, 700), fragment=0, identification=4711)) or bytes(20)
        arrived.append(word_at(packet, 4))
    demand(arrived[0] != arrived[1], f"two hosts' datagrams leave with the identification {arrived[0]}")


@RFC.requires("§11", MAY, "The mapping of an ICMP query goes with its last session.")
def query_mapping_goes(_: Ground) -> None:
    core = Core()
    core.sent(query((CLIENT, 7), (SERVER, 0)))
    core.sent(query((CLIENT, 7), (OTHER_SERVER, 0)))
    demand(len(core.table.mappings()) == 1, "one identifier has several mappings")
    core.wait(61)
    demand(not core.table.mappings(), "the mapping outlives its sessions")


@RFC.requires("§12", MUST, "ICMP queries are hairpinned to a host with an address of its own.")
def hairpinned_query(ground: Ground) -> None:
    whole: IPv4Address = EXTERNAL + 50
    ground.net.router.ip(f"address add {whole}/32 dev wan0")
    try:
        forward = [{"external_address": str(whole), "to": str(OTHER_CLIENT)}]
        with ground.config(nat={"addresses": [str(EXTERNAL), str(whole)]}, forward=forward):
            number = port()
            arrived = hairpin.across(ground, query((CLIENT, number), (whole, 0)))
            host = ground[CLIENT]
            host.ignore()
            ground[OTHER_CLIENT].send(query((OTHER_CLIENT, 0), arrived.source, ECHO_REPLY))
            back = read(host.expect("the reply to its ping", ICMP, icmp=(ECHO_REPLY, 0)))
            demand(back.source[0] == whole, f"the reply comes from {back.source[0]}, not from {whole}")
    finally:
        ground.net.router.ip(f"address del {whole}/32 dev wan0")
