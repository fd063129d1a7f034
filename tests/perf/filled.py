"""nfmasq with sessions of others in its table: `python -m perf.filled SESSIONS WORKERS`, on a bed's router.

The table has room for as many more as `nfmasq.bench.router`'s has at all. Everything else is that program's.
"""

import sys

from nfmasq.bench.router import CAPACITY, new_table, run
from perf.filling import fill


def main() -> None:
    """Serve one bed's router."""
    sessions, workers = map(int, sys.argv[1:])
    table = new_table(CAPACITY + sessions)
    fill(table, sessions)
    run("translate", workers, table)


if __name__ == "__main__":
    main()
