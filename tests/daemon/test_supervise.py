"""The supervisor alone, on a router of its own: orders of events no running daemon can be made to show."""

from support.behind import CLIENT, INTERNAL, filled, speak
from support.supervisors import Recording, configured, supervised, supervisor

from nfmasq.lab.namespace import Namespace


def test_an_added_forward_is_in_the_policy_and_in_the_rules_at_once(router: Namespace) -> None:
    recording = Recording()
    made = supervisor(router, recording)
    router.call(made.begin)
    router.call(made.add_forward, {"protocol": "tcp", "external_port": 2000, "to": str(CLIENT)}, False)
    assert made.uplink.policy is not None
    assert made.uplink.policy.reserved_tcp == {2000}
    assert [forward.ports for forward in made.uplink.policy.forwards] == [(2000, 2000)]
    assert recording.plans[-1].forwards == made.uplink.policy.forwards
    laid = len(recording.plans)
    router.call(made.reconcile)
    assert len(recording.plans) == laid, "rules were laid anew though nothing had changed"
    router.call(made.remove_forward, "tcp-2000")
    assert made.uplink.policy.forwards == recording.plans[-1].forwards == ()
    router.call(made.withdraw, False)


def test_a_live_session_outlasts_the_forward_that_is_removed(router: Namespace) -> None:
    table = filled()
    made = supervised(table, Recording())
    router.call(made.begin)
    router.call(made.add_forward, {"to": str(CLIENT)}, False)
    speak(table, CLIENT, 5000)
    router.call(made.remove_forward, "any")
    assert CLIENT in table.hosts()
    router.call(made.withdraw, False)


def test_a_reload_changes_hairpinning_in_the_rules(router: Namespace) -> None:
    recording = Recording()
    made = supervisor(router, recording)
    router.call(made.begin)
    assert recording.plans[-1].hairpinning
    router.call(made.adopt, configured(hairpinning=False))
    assert not recording.plans[-1].hairpinning
    router.call(made.withdraw, False)


def test_a_helper_that_is_enabled_is_in_the_policy_when_the_call_returns(router: Namespace) -> None:
    recording = Recording()
    made = supervisor(router, recording)
    router.call(made.begin)
    assert made.uplink.policy is not None
    assert [port.port for port in made.uplink.policy.helper_ports] == [21]
    router.call(made.set_helper, "irc", True, INTERNAL)
    assert [port.port for port in made.uplink.policy.helper_ports] == [21, 6667]
    router.call(made.set_helper, "ftp", False, None)
    assert [port.port for port in made.uplink.policy.helper_ports] == [6667]
    assert len(recording.plans) == 1, "rules were laid anew"
    router.call(made.adopt, configured())
    assert [port.port for port in made.uplink.policy.helper_ports] == [21]
    router.call(made.withdraw, False)
