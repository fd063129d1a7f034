"""What the rules of the house read: the glossary, and the list of modules that have no test of their name."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"

WITHOUT_TEST = {
    "__main__.py": "tests/cli/test_commands.py",
    "bench/*": "tests/bench/test_bench_command.py",
    "cli/bench.py": "tests/bench/test_bench_command.py",
    "cli/lab.py": "tests/lab/test_command.py",
    "cli/neighbours.py": "tests/lab/test_neighbours.py",
    "cli/progress.py": "tests/lab/test_command.py",
    "cli/requirements.py": "tests/rfc/test_table.py",
    "cli/run.py": "tests/daemon/test_life.py",
    "config/added.py": "tests/runtime/test_forwards.py",
    "config/claims.py": "tests/config/test_forwards.py",
    "config/declared.py": "tests/config/test_helpers.py",
    "config/errors.py": "tests/config/test_explain.py",
    "config/lenient.py": "tests/config/test_across.py",
    "config/protocols.py": "tests/config/test_forwards.py",
    "config/sections/*": "tests/config/test_models.py",
    "control/client.py": "tests/control/test_api.py",
    "control/forwarded.py": "tests/control/test_forwards.py",
    "control/lists.py": "tests/control/test_listings.py",
    "control/operations.py": "tests/control/test_openapi.py",
    "control/running.py": "tests/control/test_report.py",
    "control/schemas.py": "tests/control/test_openapi.py",
    "core/policy.py": "tests/hot/test_configure.py",
    "core/queue_socket.py": "tests/core/test_worker.py",
    "core/rows.py": "tests/hot/test_translation.py",
    "daemon/failed.py": "tests/daemon/test_start.py",
    "daemon/looks.py": "tests/daemon/test_service.py",
    "daemon/laid.py": "tests/daemon/test_rules.py",
    "daemon/only_one.py": "tests/hardening/test_listeners.py",
    "daemon/reload.py": "tests/daemon/test_life.py",
    "daemon/serve.py": "tests/daemon/test_service.py",
    "daemon/standstill.py": "tests/netns/test_helpers_that_hang.py",
    "diversion/backend.py": "tests/diversion/test_install.py",
    "diversion/foreign_iptables.py": "tests/diversion/test_foreign_rules.py",
    "diversion/egress/*": "tests/diversion/test_egress.py",
    "diversion/foreign_marks.py": "tests/diversion/test_foreign_rules.py",
    "diversion/foreign_nft.py": "tests/diversion/test_foreign_rules.py",
    "diversion/iptables.py": "tests/diversion/test_install.py",
    "diversion/iptables_rules.py": "tests/diversion/test_packets.py",
    "diversion/nft_table.py": "tests/diversion/test_in_place.py",
    "diversion/nftables_rules.py": "tests/diversion/test_nftables.py",
    "doctor/check.py": "tests/doctor/test_doctor.py",
    "doctor/privileges.py": "tests/doctor/test_doctor.py",
    "helpers/__main__.py": "tests/helpers/kit/test_trial.py",
    "helpers/engine/interfaces.py": "tests/helpers/engine/test_thread.py",
    "helpers/engine/remainder.py": "tests/netns/test_helped_connections.py",
    "helpers/engine/sending.py": "tests/helpers/engine/test_any_cutting.py",
    "helpers/kit/base.py": "tests/helpers/kit/test_trial.py",
    "helpers/kit/listener.py": "tests/helpers/kit/test_trial.py",
    "helpers/protocols/sip/decisions.py": "tests/helpers/protocols/sip/test_phone.py",
    "helpers/protocols/irc.py": "tests/helpers/protocols/irc/test_dialogue.py",
    "lab/*": "tests/lab/test_command.py",
    "lab/neighbours/*": "tests/lab/test_neighbours.py",
    "lab/rfc/*": "tests/rfc/test_requirements.py",
    "machine/edge.py": "tests/machine/test_surroundings.py",
    "machine/picture.py": "tests/machine/test_mirror.py",
    "machine/raw_socket.py": "tests/daemon/test_refuse.py",
    "web/scrape.py": "tests/web/test_rows.py",
}
"""Modules of nfmasq/ that a test of another name tests. `*`: all of a folder, tested as a whole."""


def retired_words() -> list[tuple[str, str]]:
    """Each word in backquotes in the last column of the glossary, and the word to use in its place."""
    words = []
    for line in GLOSSARY.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3:
            words += [(word, cells[0].strip("*`")) for word in re.findall(r"`([^`]+)`", cells[2])]
    return words
