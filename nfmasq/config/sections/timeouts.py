"""[timeouts]: idle seconds after which a session ends. The core's Timeouts have these names and defaults."""

from nfmasq.config.sections.table import Seconds, Table


class Timeouts(Table):
    """[timeouts]. udp_dns: of UDP sessions with port 53. tcp_opening, tcp_closing: None: as tcp_transitory.

    The helpers read expectation.
    """

    udp: Seconds = 5 * 60
    udp_dns: Seconds = 20
    tcp_established: Seconds = 2 * 3600 + 4 * 60
    tcp_transitory: Seconds = 4 * 60
    tcp_opening: Seconds | None = None
    tcp_closing: Seconds | None = None
    icmp: Seconds = 60
    expectation: Seconds = 60
