"""The router's rules as a test compares them."""

from support.path import Path


def saved(path: Path) -> list[str]:
    """Every rule and user chain of both kinds of iptables, each with its program and table."""
    lines = []
    for program in ("iptables-save", "iptables-legacy-save"):
        table = ""
        for line in path.router.run(program).splitlines():
            if line.startswith("*"):
                table = line
            elif line.startswith("-A ") or (line.startswith(":") and " ACCEPT " not in line):
                lines.append(f"{program} {table} {line}")
    return lines


def listed(path: Path) -> str:
    """Every nft rule on the router, those of iptables over nf_tables included."""
    return path.router.run("nft", "--stateless", "list", "ruleset")
