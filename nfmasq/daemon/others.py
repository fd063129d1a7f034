"""Follows the rules of other programs: whether they lead packets inside, and what of them stands in the way.

What is stored: whether a look is due, when the next may be, and the answers of the last look. One thread
alone may call `begin` and `follow`; any thread may read `leads`. A look that fails leaves the answers as they
were.

A look starts programs, and container engines change rules many times a second. So the looks together take a
bounded share of a processor: the first one comes immediately, and the last one when the changes are over.
"""

from nfmasq.daemon.share import Share
from nfmasq.diversion import DiversionPlan, Others, foreign_problems, others_lead_inside, read_others

SHARE = 0.015
"""The part of a processor that looks take while rules change all the time."""


class FollowedOthers:
    """The rules of others beside one daemon."""

    def __init__(self, share: Share | None = None) -> None:
        self.leads = False
        self.problems: tuple[str, ...] = ()
        self._share = share or Share(SHARE)
        self._due = True
        self._judged_for: DiversionPlan | None = None

    def begin(self) -> None:
        """Learn whether they lead packets inside, before there is a plan. Raises as `follow` does."""
        self.leads = others_lead_inside(read_others())

    def follow(self, plan: DiversionPlan, touched: bool) -> bool:
        """Look if it is time to; return whether it was. touched: rules changed since the last call.

        Raises whatever the reading of odd rules raises; then the look is due again.
        """
        self._due |= touched or plan != self._judged_for
        if not self._due or not self._share.is_left:
            return False
        with self._share.spending():
            self._look(plan)
        self._due = False
        return True

    def _look(self, plan: DiversionPlan) -> None:
        others: Others = read_others()
        leads, problems = others_lead_inside(others), foreign_problems(plan, others)
        self.leads, self.problems, self._judged_for = leads, tuple(problems), plan
