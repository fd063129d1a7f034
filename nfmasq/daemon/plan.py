"""The diversion's plan, made of the configuration, the surroundings and the policy in force.

What is stored: whether rules of others lead packets inside, as last seen; the last plan, and what it was made
of. Nothing is made anew while nothing changes.
"""

from nfmasq.config import Config
from nfmasq.config.addresses import joined
from nfmasq.core.policy import Policy
from nfmasq.diversion import DiversionPlan, External
from nfmasq.machine.surroundings import Surroundings


class Planned:
    """The plans of one daemon. queues: the first that the rules divert to, and their number."""

    def __init__(self, queues: tuple[int, int]) -> None:
        self.others_lead = False
        self._queues = queues
        self._made_of: tuple[object, ...] | None = None
        self._plan: DiversionPlan | None = None

    def plan(
        self,
        config: Config,
        surroundings: Surroundings,
        policy: Policy | None,
        beyond: tuple[tuple[int, int], ...] = (),
    ) -> DiversionPlan:
        """What the rules must divert now. Raises DiversionUnavailable for what no rule can bear.

        beyond: ports that sessions use and that are not handed out any more.
        """
        made_of = config, surroundings, policy, beyond, self.others_lead
        if self._plan is not None and made_of == self._made_of:
            return self._plan
        nat = config.nat
        plan = DiversionPlan(
            internal=tuple(nat.internal),
            externals=tuple(External(each.name, each.addresses) for each in surroundings.outsides),
            networks=surroundings.internal,
            untranslated=surroundings.untranslated,
            elsewhere=surroundings.elsewhere,
            unguarded=tuple(nat.unguarded),
            ports=(*((first, last) for first, last in joined(nat.low_ports, nat.ports)), *beyond),
            queues=self._queues,
            forwards=policy.forwards if policy else (),
            hairpinning=nat.hairpinning,
            mark=nat.mark,
            exempt=tuple(nat.exempt),
            others_lead=self.others_lead,
        )
        self._plan, self._made_of = plan, made_of
        return plan
