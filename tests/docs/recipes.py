"""The recipes of docs/contributing.md, performed: for each, the edits of a small example.

A step puts text before or behind a line of a file, or writes a new file. Its text is what a newcomer would
write after having read the recipe, and nothing else of the tree changes.
"""

from pathlib import Path
from typing import NamedTuple

LISTINGS = "LISTINGS = {each.name: each for each in (SESSIONS, MAPPINGS, HOSTS, FORWARDS, HELPERS, DROPS)}"
RATE_EXCEEDED = (
    'Reason("rate_exceeded", LIMIT, "Sessions begin too fast (limits.new_per_second).", '
    "Icmp.HOST_UNREACHABLE),"
)
SKELETON = Path("nfmasq/helpers/kit/skeleton.py")


class Step(NamedTuple):
    """One edit. behind, before: the line it stands next to, by its text; neither: a new file."""

    file: str
    text: str
    behind: str = ""
    before: str = ""

    def perform(self, tree: Path) -> None:
        """Edit the file below `tree`."""
        path = tree / self.file
        if not (self.behind or self.before):
            path.write_text(self.text, encoding="utf-8")
            return
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        wanted = (self.behind or self.before).strip()
        places = [number for number, line in enumerate(lines) if line.strip() == wanted]
        assert places, f"{self.file} has no line {wanted!r}"
        place = places[0]
        lines.insert(place + bool(self.behind), self.text)
        path.write_text("".join(lines), encoding="utf-8")


class Recipe(NamedTuple):
    """What is added: by the files that make it, by its users in the tree and its page, and by its tests."""

    files: int
    """How many files make it and follow, as the page says."""
    makes: tuple[Step, ...]
    follows: tuple[Step, ...]
    tests: tuple[Step, ...]


REASON = Recipe(
    3,
    makes=(
        Step(
            "nfmasq/_hot/state/reasons.pxd",
            "    TTL_EXPIRED\n",
            before="# where it comes from and goes to",
        ),
        Step(
            "nfmasq/core/reasons.py",
            '    Reason("ttl_expired", NOISE, "The time to live is 0: no hop is left.", Icmp.NONE),\n',
            before="# Where the packet comes from and goes to.",
        ),
    ),
    follows=(
        Step(
            "nfmasq/_hot/way/parse.pxd",
            "from nfmasq._hot.state.reasons cimport TTL_EXPIRED\n",
            before="from nfmasq._hot.state.tcpstate cimport flags_make_sense",
        ),
        Step(
            "nfmasq/_hot/way/parse.pxd",
            "    if ip.ttl == 0:\n        return drop(packet, TTL_EXPIRED)\n",
            before="header = header_length(ip)",
        ),
    ),
    tests=(
        Step(
            "tests/core/provocations.py",
            '    out("no hop is left", "ttl_expired", put(FIRST_UDP, 8, bytes(1))),\n',
            behind="CASES = [",
        ),
    ),
)
METRIC = Recipe(
    1,
    makes=(
        Step(
            "nfmasq/web/metrics.py",
            "    gauge(\n"
            '        "nfmasq_start_age_seconds",\n'
            '        "Seconds since the epoch at which the daemon started, once more.",\n'
            "        (),\n"
            "        one(lambda seen: seen.started),\n"
            "    ),\n",
            behind="METRICS: tuple[MetricRow, ...] = (",
        ),
    ),
    follows=(),
    tests=(),
)
LIMIT = Recipe(
    7,
    makes=(
        Step(
            "nfmasq/config/sections/limits.py",
            "    udp_sessions_per_host: Limit = 0\n",
            behind="new_per_second_per_host: Limit = 0",
        ),
        Step(
            "nfmasq/core/policy.py",
            "    udp_sessions_per_host: int = 0\n",
            behind="new_per_second_per_host: int = 0",
        ),
        Step(
            "nfmasq/_hot/state/rules.pxd",
            "    uint32_t udp_sessions_per_host\n",
            behind="uint32_t new_per_second_per_host",
        ),
        Step(
            "nfmasq/_hot/way/limits.pxd",
            "    if packet.transport == 1 and is_full(host.sessions, limits.udp_sessions_per_host):\n"
            "        return drop(packet, HOST_UDP_SESSIONS_FULL)\n",
            before="if is_full(host.sessions, limits.sessions_per_host) or (",
        ),
        Step(
            "nfmasq/_hot/way/limits.pxd",
            "from nfmasq._hot.state.reasons cimport HOST_UDP_SESSIONS_FULL\n",
            before="from nfmasq._hot.state.rules cimport Limits",
        ),
        Step("nfmasq/_hot/state/reasons.pxd", "    HOST_UDP_SESSIONS_FULL\n", behind="RATE_EXCEEDED"),
        Step(
            "nfmasq/core/reasons.py",
            "    Reason(\n"
            '        "host_udp_sessions_full",\n'
            "        LIMIT,\n"
            '        "The internal host has too many UDP sessions (limits.udp_sessions_per_host).",\n'
            "        Icmp.PROHIBITED,\n"
            "    ),\n",
            behind=RATE_EXCEEDED,
        ),
    ),
    follows=(
        Step(
            "deploy/nfmasq.toml",
            "#udp_sessions_per_host = 0\n",
            behind="#new_per_second_per_host = 0",
        ),
    ),
    tests=(
        Step(
            "tests/core/provocations.py",
            "    out(\n"
            '        "one UDP session too many of a host",\n'
            '        "host_udp_sessions_full",\n'
            "        udp(CLIENT, 4001, SERVER, 53),\n"
            "        udp(CLIENT, 4000, SERVER, 53),\n"
            "        rules=policy(udp_sessions_per_host=1),\n"
            "    ),\n",
            behind="CASES = [",
        ),
        Step(
            "tests/hot/test_udp_limit.py",
            '"""A limit of the recipe."""\n\n'
            "from support.packets import udp\n"
            "from support.router import CLIENT, SERVER, Router, policy\n\n\n"
            "def test_the_session_past_the_limit_is_refused() -> None:\n"
            "    router = Router(policy(udp_sessions_per_host=1))\n"
            "    assert router.out(udp(CLIENT, 40000, SERVER, 53))\n"
            "    refused = router.try_out(udp(CLIENT, 40001, SERVER, 53))\n"
            '    assert refused == ("host_udp_sessions_full", b"")\n',
        ),
    ),
)
LIST = Recipe(
    2,
    makes=(
        Step(
            "nfmasq/control/workers.py",
            '"""The list of workers."""\n\n'
            "from typing import TypedDict\n\n"
            "from nfmasq.control.paging import Part\n"
            "from nfmasq.control.question import Question\n"
            "from nfmasq.control.running import Running\n\n\n"
            "class Worker(TypedDict):\n"
            '    """One worker, by its first queue."""\n\n'
            "    queue: int\n\n\n"
            "async def read(running: Running, asked: Question) -> Part:\n"
            '    """Every worker."""\n'
            "    numbers = [worker.number for worker in running.workers] or [100]\n"
            "    return Part([Worker(queue=number) for number in numbers])\n",
        ),
        Step(
            "nfmasq/control/listings.py",
            "WORKERS = Listing(\n"
            '    name="workers",\n'
            '    row="Worker",\n'
            '    about="The worker threads.",\n'
            '    more="",\n'
            '    examples=("nfmasq workers",),\n'
            '    next="`nfmasq status`.",\n'
            '    columns=(Column("queue", "QUEUE", 6, right=True),),\n'
            ")\n\n",
            before=LISTINGS,
        ),
        Step(
            "nfmasq/control/listings.py",
            'LISTINGS["workers"] = WORKERS\n',
            behind=LISTINGS,
        ),
    ),
    follows=(),
    tests=(
        Step(
            "tests/control/test_workers.py",
            '"""The list of workers."""\n\n'
            "from support.behind import Bare\n\n"
            "from nfmasq.control.client import Client\n\n\n"
            "def test_a_worker_is_listed_by_its_first_queue(running: Bare, client: Client) -> None:\n"
            '    assert client.get("/v1/workers")["workers"] == [{"queue": 100}]\n',
        ),
    ),
)


RECIPES = {"reason": REASON, "metric": METRIC, "limit": LIMIT, "list": LIST}


def helper(tree: Path) -> Recipe:
    """A helper: the skeleton under another name."""
    text = (tree / SKELETON).read_text(encoding="utf-8")
    text = text.replace('name = "meet"', 'name = "tin"') + "\n\nHELPER = Meet\n"
    test = (
        '"""The helper tin."""\n\n'
        "from nfmasq.helpers import registry\n\n\n"
        "def test_it_is_there() -> None:\n"
        '    assert registry.kind("tin")().name == "tin"\n'
    )
    return Recipe(
        1,
        makes=(Step("nfmasq/helpers/protocols/tin.py", text),),
        follows=(),
        tests=(Step("tests/helpers/protocols/test_tin.py", test),),
    )
