"""Expectations: the sessions that helpers announced to the core, and how long their control sessions live.

What is stored: how each expectation stands (`standing`), and which internal endpoint each external one is
for (`owners`). Who writes: whoever holds the engine's lock. How long sessions live is said in `lifetimes`.

What ends an expectation: its session begins, its time is over, or its control session ends. A word of its
dialogue ends it, and so does a helper that is disabled for the host. With the control session `Announced`
ends, and the data sessions that end with it. An offer of DCC does not outlive its IRC connection either. Its
endpoint is open to anyone, and nothing tells any more whether the offer still stands.
"""

from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv4Address

from nfmasq.core.rows import Expected
from nfmasq.helpers.engine.announced import Announced, Expectation
from nfmasq.helpers.engine.interfaces import ExpectingCore, Name
from nfmasq.helpers.engine.lifetimes import MOST_HOLD_S, Lifetimes
from nfmasq.helpers.engine.owners import Owners
from nfmasq.helpers.engine.ports import KEYED, Ports, require_sane
from nfmasq.helpers.engine.standing import SpeaksFor, Standing
from nfmasq.helpers.kit.base import SENT, Admitted, Endpoint, Found, Mentioned, NotActedOn, Session


class Expectations:
    """The expectations of all control sessions. seconds: how long one waits for its session.

    number_of: the number of the helper that is to read a host's sessions, by its name; 0: none reads them.
    """

    def __init__(
        self,
        core: ExpectingCore,
        seconds: int,
        number_of: Callable[[str, IPv4Address], int] = lambda name, host: 0,
    ) -> None:
        self._core = core
        self._ports = Ports(core, seconds)
        self._number_of = number_of
        self._standing = Standing(core)
        self._owners = Owners()
        self._lifetimes = Lifetimes(core, self._standing, self._owners)

    @property
    def seconds(self) -> int:
        """How long an expectation waits, where its helper says nothing else."""
        return self._ports.seconds

    @seconds.setter
    def seconds(self, seconds: int) -> None:
        self._ports.seconds = seconds

    @property
    def waiting(self) -> int:
        """How many expectations still wait for their session."""
        return self._standing.waiting

    def announce(self, control: Name, session: Session, helper: int, found: Found) -> Endpoint:
        """As `announce_all`; the first external endpoint."""
        return self.announce_all(control, session, helper, found)[0]

    def announce_all(self, control: Name, session: Session, helper: int, found: Found) -> list[Endpoint]:
        """Expect sessions to an endpoint that the internal side wrote; the external one of each port.

        helper: the number of the helper that found it. Raises NotActedOn, with the reason why the endpoint
        must stay as it is.
        """
        internal = session.internal[0]
        is_own = found.address is None or found.address == internal
        if not is_own and not (found.as_seen and found.address == session.external[0]):
            raise NotActedOn("forged")
        announced = self._standing.announced.get(control)
        if found.reuse:
            return [_announced_before(announced, found.transport, found.port)]
        require_sane(session, found)
        announced = announced or Announced(session, helper)
        if found.media and found.anyone and (begun := self._begun(control, announced, session, found)):
            return begun
        self._standing.require_room(announced, found.consecutive, media=found.media)
        reader = self._number_of(found.reader, internal) if found.reader else 0
        wanted = earlier = 0
        if found.write is None:
            is_session_s = (found.transport, found.port) == (session.transport, session.internal[1])
            wanted = session.external[1] if is_session_s else found.port
        if found.transport not in KEYED:
            earlier = announced.by_internal.get((found.transport, found.port), (None, 0))[1]
        expect = partial(
            self._ports.expect, control, session, found, reader=reader, standing=announced.waiting
        )
        try:
            row = expect(wanted=wanted or earlier)
        except NotActedOn:
            if wanted or not earlier:
                raise
            row = expect()
        self._store(control, announced, found, row)
        return [each.external for each in row]

    def announce_sent(self, control: Name, session: Session, helper: int, found: Found) -> None:
        """Expect what the internal side is going to send with a key of the other side. Raises NotActedOn."""
        require_sane(session, found)
        announced = self._standing.announced.get(control) or Announced(session, helper)
        self._standing.require_room(announced, 1)
        (made,) = self._ports.expect(control, session, found._replace(transport=SENT))
        internal = announced.host, found.port
        sent = Expectation(SENT, internal, made.external, found.ends_with_control, 0, None)
        self._standing.note(control, announced, made, sent)

    def admit(
        self, control: Name, session: Session, admitted: Admitted, speaks_for: SpeaksFor | None = None
    ) -> None:
        """Let another remote host open what was announced. Raises NotActedOn."""
        endpoint = admitted.transport, admitted.port
        owner, announced, known = self._standing.find(control, speaks_for, endpoint)
        self._standing.require_free_room(announced, 1, media=known.media)
        made = self._ports.admit(owner, session, admitted, known.external[1], known.patience_s)
        self._standing.note(owner, announced, made, known._replace(remote=admitted.remote))
        if known.media:
            self._standing.close(announced, *endpoint)

    def hold(self, control: Name, session: Session, helper: int, seconds: int) -> None:
        """Keep a control session for so many seconds from now on."""
        announced = self._standing.announced.get(control) or Announced(session, helper)
        self._lifetimes.hold(control, announced, seconds)

    def remember(self, control: Name, session: Session, number: int) -> None:
        """Keep a dialogue's number with its session, over a restart too; a connection is not read again."""
        if session.transport == "udp":
            self._core.remember(*control, number)

    def end_announced(
        self, control: Name, ended: Sequence[tuple[str, int]], speaks_for: SpeaksFor | None = None
    ) -> None:
        """End what was announced with these transports and internal ports, and what began by it."""
        over = set(ended)
        for owner, announced in self._standing.heard_of(control, speaks_for).items() if over else ():
            if owner != control and over.isdisjoint(announced.by_internal):
                continue
            announced.forget_media(over)
            for name, each in [*announced.waiting.items(), *announced.data.items()]:
                if (each.transport, each.internal[1]) in over:
                    self._standing.forget(announced, name)
                    if not self._core.withdraw(*name):
                        self._core.end(*name)

    def take_back(self, control: Name, external: Endpoint) -> None:
        """Withdraw expectations whose endpoint could not be written, so that no session will come."""
        announced = self._standing.announced.get(control)
        for name, each in list(announced.waiting.items()) if announced else ():
            if announced and each.external == external and self._core.withdraw(*name):
                self._standing.forget(announced, name)
                announced.forget_media([(each.transport, each.internal[1])])

    def end_where(self, is_disabled: Callable[[int, IPv4Address], bool]) -> None:
        """End all expectations of helpers (by number) that are disabled for the internal host."""
        self._standing.withdraw_where(is_disabled)

    def original(self, control: Name, session: Session, mentioned: Mentioned) -> Endpoint | None:
        """The internal endpoint of the host that was announced as the mentioned external one, or None."""
        external = mentioned.address or session.external[0], mentioned.port
        announced = self._standing.announced.get(control)
        own = announced.original(mentioned.transport, *external) if announced else None
        if own is not None or mentioned.transport in KEYED:
            return own
        transports = (mentioned.transport,) if mentioned.transport else ("tcp", "udp", "gre")
        return self._owners.internal_of(transports, external, session.internal[0])

    def note_of(self, name: Name) -> object:
        """What the dialogue of a session that was announced is told; None for any other session."""
        return self._standing.note_of(name)

    def tick(self) -> None:
        """Once a second: note sessions that began; follow the end of control sessions, or keep them alive."""
        self._lifetimes.tick()

    def _begun(self, control: Name, announced: Announced, session: Session, found: Found) -> list[Endpoint]:
        """The external endpoints of media for anyone of which a part has begun; [] where none has.

        A port whose session lives keeps it, and expects no other one. A message that is sent again would open
        the port to one more host otherwise.
        """
        begun = {
            port: self._standing.live(announced, found.transport, port)
            for port in range(found.port, found.port + found.consecutive)
        }
        made = []
        for port, live in begun.items() if any(begun.values()) else ():
            if live is None:
                one = found._replace(port=port, consecutive=1)
                self._standing.require_room(announced, 1, media=True)
                wanted = announced.by_internal.get((found.transport, port), (None, 0))[1]
                row = self._ports.expect(control, session, one, wanted=wanted, standing=announced.waiting)
                self._store(control, announced, one, row)
            made.append(row[0].external if live is None else live.external)
        return made

    def _store(self, control: Name, announced: Announced, found: Found, row: Sequence[Expected]) -> None:
        lifetime = min(found.lifetime_s, MOST_HOLD_S)
        until = self._standing.ticks + lifetime if lifetime > 0 else 0
        remote = None if found.anyone else announced.remote
        for nth, each in enumerate(row):
            internal = announced.host, found.port + nth
            expectation = Expectation(
                found.transport, internal, each.external, found.ends_with_control, until, found.note, remote,
                found.media, found.patience_s,
            )  # fmt: skip
            self._standing.note(control, announced, each, expectation)
            if forgotten := announced.remember(found.transport, internal, each.external):
                self._owners.forget(control, forgotten)
            self._owners.note(control, found.transport, each.external, internal)


def _announced_before(announced: Announced | None, transport: str, port: int) -> Endpoint:
    """The external endpoint of an earlier announcement. Raises NotActedOn: there was none to refer to."""
    external = announced.by_internal.get((transport, port)) if announced else None
    if external is None:
        raise NotActedOn("not_allowed")
    return external
