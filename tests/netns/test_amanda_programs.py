"""Amanda end to end: amandad inside, with auth bsd, is backed up by amdump outside."""

import os
import shutil
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from netns.unpacked import directory, listens, names, running, script
from nfmasq.lab.lab import Lab
from nfmasq.lab.router import DaemonUnderLab
from nfmasq.lab.topology import CLIENT2, EXTERNAL, SERVER1, Topology

LAB = {
    "config": {
        "helpers": {"amanda": True},
        "network": [
            {
                "cidr": "192.168.1.0/24",
                "mapping": "address-and-port-dependent",
                "filtering": "address-and-port-dependent",
            }
        ],
        "forward": [{"protocol": "udp", "external_port": 10080, "to": f"{CLIENT2}:10080"}],
    }
}
BACKUP = "backup"
FOLDERS = "/var/lib/amanda /var/lib/amanda/gnutar-lists /var/log/amanda /var/backups /tmp/amanda"
OWN_FOLDERS = f"mkdir -p {FOLDERS} && chown {BACKUP}:{BACKUP} {FOLDERS}"
SERVICE = """
service amanda
{
    type = UNLISTED
    port = 10080
    flags = IPv4
    socket_type = dgram
    protocol = udp
    wait = yes
    user = backup
    group = backup
    server = /usr/lib/amanda/amandad
    server_args = -auth=bsd amdump
}
"""
SIZE = 200_000


def known(client: IPv4Address, own: IPv4Address) -> str:
    """The names of both ends, as one of them knows them."""
    return names({"amserver.test": SERVER1, "amclient.test": client, os.uname().nodename: own})


@pytest.fixture(scope="module")
def files(lab: Lab) -> Iterator[Path]:
    """amandad inside; the directory that is backed up."""
    host = lab.topology.client2
    with directory() as place:
        (place / "data").mkdir()
        (place / "data" / "file").write_bytes(os.urandom(SIZE))
        for path in (place / "data", place / "data" / "file"):
            shutil.chown(path, BACKUP, BACKUP)
        (place / "service").write_text(SERVICE)
        allowed = "/var/backups/.amandahosts"
        steps = (
            known(CLIENT2, CLIENT2), OWN_FOLDERS,
            f"echo 'amserver.test {BACKUP} amdump' >{allowed}; chown {BACKUP} {allowed}; chmod 600 {allowed}",
        )  # fmt: skip
        with running(
            host, place, *steps, f"exec xinetd -dontfork -f {place}/service -stayalive",
            ready=lambda: listens(host, 10080, "udp"), what="amandad",
        ):  # fmt: skip
            yield place / "data"


def configuration(place: Path, files: Path) -> None:
    """Amanda's on the server: one disk, and two tapes that are directories."""
    for name in ("info", "log", "index", "tapes/slot1", "tapes/slot2"):
        (place / name).mkdir(parents=True)
    (place / "amanda.conf").write_text(f"""
org "lab"
dumpuser "{BACKUP}"
dumpcycle 1 day
runspercycle 1
tapecycle 2 tapes
infofile "{place}/info"
logdir "{place}/log"
indexdir "{place}/index"
tpchanger "chg-disk:{place}/tapes"
autolabel "lab%%" any
labelstr "lab[0-9]*"
tapetype DIRECTORY
define tapetype DIRECTORY {{
    length 100 mbytes
}}
define dumptype OVER_UDP {{
    auth "bsd"
    client-port "10080"
    program "GNUTAR"
    index yes
    compress none
}}
""")
    (place / "disklist").write_text(f"amclient.test {files} OVER_UDP\n")


def test_a_client_inside_is_backed_up(net: Topology, files: Path, daemon: DaemonUnderLab) -> None:
    """Its four streams are connections that the server opens."""
    with directory() as place:
        configuration(place, files)
        net.server1.run(
            *script(
                place,
                known(EXTERNAL, SERVER1),
                OWN_FOLDERS,
                "mkdir -p /etc/amanda/lab && cp amanda.conf disklist /etc/amanda/lab",
                f"chown -R {BACKUP} /etc/amanda {place}",
                f"runuser -u {BACKUP} -- amdump lab",
            ),
            timeout=120,
        )
        (dumped,) = (path for path in (place / "tapes" / "slot1").iterdir() if "amclient" in path.name)
        assert dumped.stat().st_size > SIZE
        assert list((place / "index").rglob("*.gz"))
    (row,) = (each for each in daemon.api("/v1/helpers")["helpers"] if each["name"] == "amanda")
    assert row["messages"]["rewritten"] == 4
