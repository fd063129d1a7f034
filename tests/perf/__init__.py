"""The developers' bench: all that `nfmasq bench` measures, and what only the source tree can.

Run it from `tests/`, as root, on a machine that has nothing else to do:

    sudo ../.venv/bin/python -m perf                   the usual measures of the usual ways
    sudo ../.venv/bin/python -m perf --report          all of them; writes docs/performance.md and its plots
    sudo ../.venv/bin/python -m perf --only overload   one measure; `--help` names the options
    ../.venv/bin/python -m perf --core                 the table and the helpers, without network or root

`../.venv/bin/python -m perf.instructions perf/instructions.json` renews the bound of the instruction counts.

More ways to treat packets are measured here:

    nfmasq-1, -2, -4       nfmasq with so many workers
    nfmasq-million         nfmasq with a million other sessions in its table
    libnetfilter-queue     a loop in C, a packet at a time
    callback               a NetfilterQueue callback that accepts each packet
    slirp4netns, pasta     sockets of their own, as containers have them
    tayga                  a stateless translator, twice

And more is measured: many flows (`nfmasq.bench.datagrams`), `overload`, other hosts' datagrams during a flood
(`flooded`), `memory` and the `table` alone, `instructions`, `helpers` and the delay they cause
(`neighbours`), what it costs to follow the surroundings (`looking`). Each module says what exactly it counts.
`page` writes the report from one run's outcome and nothing else.
"""
