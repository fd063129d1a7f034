"""The guard or the rules, as this process laid them.

What is stored: the plan they were made from, None when they must be made anew; the plan that was laid last;
whether they are in place. Where laying fails, the rules of before stand. The daemon's hand alone calls the
methods that change something. `remove` ends it.
"""

import logging
import subprocess
from collections.abc import Callable
from typing import Protocol

from nfmasq.diversion import DiversionPlan, DiversionUnavailable
from nfmasq.machine.watches import Touched

RULES_FAILED = (DiversionUnavailable, OSError, subprocess.SubprocessError)

log = logging.getLogger("nfmasq")


class Layer(Protocol):
    """The guard or a diversion."""

    def install(self, plan: DiversionPlan) -> None: ...
    def remove(self) -> None: ...
    def present(self) -> bool: ...


class Laid:
    """The guard or the rules, as one plan says. Nothing of them is known before the first `keep`.

    stands_in: says which tables of the kernel it is in.
    """

    def __init__(self, name: str, layer: Layer, stands_in: Callable[[], frozenset[str]]) -> None:
        self.name = name
        self.in_place = False
        self.last: DiversionPlan | None = None
        self._layer = layer
        self._stands_in = stands_in
        self._plan: DiversionPlan | None = None

    def install(self, plan: DiversionPlan) -> None:
        """Install it for the plan. Raises one of RULES_FAILED; then the next `keep` installs it anew."""
        self._plan, self.in_place = None, False
        self._layer.install(plan)
        self._plan, self.in_place = plan, True
        self.last = plan

    def keep(self, plan: DiversionPlan, touched: Touched) -> bool:
        """Install it for another plan, or if it is gone from its touched tables; return whether it was gone.

        Raises one of RULES_FAILED.
        """
        if plan != self._plan:
            self.install(plan)
        elif self.may_be_gone(touched) and not self._is_present():
            self.install(plan)
            return True
        self.in_place = True
        return False

    def may_be_gone(self, touched: Touched) -> bool:
        """Whether it is in one of these tables."""
        return touched.meets(self._stands_in())

    def _is_present(self) -> bool:
        """Whether it is there. A look that fails leaves it unknown: the next `keep` installs it anew."""
        try:
            return self._layer.present()
        except RULES_FAILED:
            self._plan, self.in_place = None, False
            raise

    def remove(self) -> None:
        """Remove it. A failure is logged."""
        self._plan, self.in_place = None, False
        self.last = None
        try:
            self._layer.remove()
        except RULES_FAILED as error:
            log.error("the %s could not be removed: %s", self.name, error)
