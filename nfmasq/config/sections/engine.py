"""[engine]: the workers, their queues, the files of sessions and of kept forwards, the rules."""

import os
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import Field, PlainValidator

from nfmasq.config.sections.table import FilePath, Table
from nfmasq.config.values import count_or_auto, path, whole, word
from nfmasq.core.queue_socket import QUEUES_EACH

MOST_WORKERS = 64
LAST_QUEUE = 65535

DiversionWord = Literal["auto", "nftables", "iptables", "none"]
OnFailureWord = Literal["closed"]

Workers = Annotated[int | None, PlainValidator(count_or_auto(1, MOST_WORKERS))]
FirstQueue = Annotated[int, PlainValidator(whole(0, LAST_QUEUE))]
Diversion = Annotated[DiversionWord, PlainValidator(word(*get_args(DiversionWord)))]
OnFailure = Annotated[OnFailureWord, PlainValidator(word(*get_args(OnFailureWord)))]


STATE = Path("/run/nfmasq/state")
SAVED = Path("/var/lib/nfmasq/sessions")
SavedPath = Annotated[Path | None, PlainValidator(path)]


class Engine(Table):
    """[engine]. `queues` is the older name of `workers`; no file has both."""

    written_workers: Workers = Field(default=None, alias="workers")
    written_queues: Workers = Field(default=None, alias="queues", json_schema_extra={"older": True})
    first_queue: FirstQueue = 100
    state: FilePath = STATE
    written_saved: SavedPath = Field(default=None, alias="saved")
    forwards: FilePath = Path("/var/lib/nfmasq/forwards.json")
    diversion: Diversion = "auto"
    on_failure: OnFailure = "closed"

    @property
    def chosen_workers(self) -> int | None:
        """How many workers, as written; None for "auto"."""
        return self.written_workers or self.written_queues

    @property
    def workers(self) -> int:
        """How many workers: as written, or for "auto" one for every two processors this process may use.

        The kernel's own share of a packet is larger than the worker's, and needs a processor as well.
        """
        return self.chosen_workers or min(max(1, len(os.sched_getaffinity(0)) // 2), MOST_WORKERS)

    @property
    def saved(self) -> Path:
        """The copy of the sessions for after a reboot: as written, or of another `state` next to it."""
        if self.written_saved:
            return self.written_saved
        return SAVED if self.state == STATE else self.state.with_name(f"{self.state.name}.saved")

    @property
    def diverted_to(self) -> tuple[int, int]:
        """The first netfilter queue of the rules, and how many. QUEUES_BESIDES follow."""
        return self.first_queue, self.workers * QUEUES_EACH
