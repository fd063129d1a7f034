"""Mode "full": the phone's own endpoint in headers, both ways, and where it is left alone."""

import pytest

from helpers.protocols.sip.sayings import IN, OUT, PHONE, Heard, invite, request, response
from nfmasq.helpers.kit.base import Mentioned, Named
from nfmasq.helpers.kit.listener import EXTERNAL, INTERNAL, REMOTE

ABROAD = f"{EXTERNAL}:40000"
OWN = str(INTERNAL)
REGISTER = request("REGISTER", f"Contact: <sip:ann@{PHONE}>")
BACK = response(200, "REGISTER", f"Contact: <sip:ann@{ABROAD}>;expires=60", via=ABROAD)


def found(*said: tuple[object, bytes], port: int = 0) -> list[str]:
    """The texts that are found in the last of these messages."""
    before = Heard(*said[:-1], mode="full", port=port)  # type: ignore[arg-type]
    return Heard(*said, mode="full", port=port).found[len(before.found) :]  # type: ignore[arg-type]


class TestWhatThePhoneSays:
    @pytest.mark.parametrize(
        ("headers", "texts"),
        [
            ([f"Contact: <sip:ann@{PHONE}>"], [PHONE]),
            ([f"m: <sip:ann@{PHONE}>"], [PHONE]),
            ([f"CONTACT : <sip:ann@{PHONE}>"], [PHONE]),
            ([f'Contact: "a, <b>" <sip:ann@{PHONE};x=y>;q=0.5'], [PHONE]),
            ([f"Contact: sip:ann@{PHONE};q=1"], [PHONE]),
            ([f"Contact: <sip:{PHONE}>"], [PHONE]),
            ([f"Contact: <sip:ann:secret@{PHONE}?x=y>"], [PHONE]),
            ([f"Contact: <sip:ann@{PHONE}>, <sip:cal@{PHONE}>"], [PHONE, PHONE]),
            ([f"Contact:\r\n <sip:ann@{PHONE}>,\r\n\t<sip:cal@{PHONE}>"], [PHONE, PHONE]),
            (
                [f"Contact: <sip:ann@{PHONE}>", f"Record-Route: <sip:{PHONE};lr>, <sip:10.0.0.1;lr>"],
                [PHONE, PHONE],
            ),
        ],
    )
    def test_its_contacts_are_found(self, headers: list[str], texts: list[str]) -> None:
        assert found((IN, request("REGISTER", *headers))) == [PHONE, *texts]

    @pytest.mark.parametrize("headers", [["Contact: *", "Expires: 0"], []])
    @pytest.mark.parametrize("method", ["REGISTER", "OPTIONS", "MESSAGE"])
    def test_a_message_without_a_contact_goes_as_the_others(self, method: str, headers: list[str]) -> None:
        """Until the phone has shown one, nobody knows how it traverses NATs, and it is left alone."""
        text = request(method, *headers, number=2, call="2@here")
        learned = request("REGISTER", f"Contact: <sip:ann@{ABROAD}>")
        assert found((IN, text)) == []
        assert found((IN, REGISTER), (IN, text)) == [PHONE]
        assert found((IN, learned), (IN, text)) == []

    @pytest.mark.parametrize(
        "contact",
        [
            f"<sip:ann@{ABROAD}>",
            "<sip:ann@192.168.1.11:40000>",
            f"<sip:ann@{OWN}:5060>",
            f"<sip:ann@{OWN}>",
            "<sip:ann@phone.example:40000>",
            "<sip:ann@k3v2.invalid>",
            "<sip:ann@[2001:db8::1]:40000>",
            f"<sip:ann@{PHONE};gr=urn:uuid:1>",
            f"<sip:ann@{PHONE};ob>",
            f"<sip:ann@{PHONE};transport=tcp>",
            f"<sip:ann@{PHONE};transport=TLS>",
            f"<sips:ann@{PHONE}>",
            f"<sip:proxy.example?X=a@{PHONE}>",
            f'<sip:ann@{PHONE}>;+sip.instance="<urn:uuid:1>";reg-id=1',
            f"<sip:ann@{PHONE}>, <sip:ann@{ABROAD}>",
            "<tel:+123>",
        ],
    )
    def test_one_that_knows_of_nats_is_left_alone_altogether(self, contact: str) -> None:
        """Learned by STUN, a GRUU (RFC 5627), a flow (RFC 5626), a listening port, a name."""
        register = request("REGISTER", f"Contact: {contact}")
        assert found((IN, register)) == []
        assert found((IN, register), (OUT, BACK)) == []
        assert found((IN, register), (OUT, said_to(ABROAD))) == []

    def test_the_port_5060_need_not_be_written(self) -> None:
        text = request("REGISTER", f"Contact: <sip:ann@{OWN}>", via=OWN)
        assert found((IN, text), port=5060) == [OWN, OWN]

    def test_via_that_asks_for_rport_stays(self) -> None:
        """RFC 3581: the answer comes to where the request came from."""
        text = request("REGISTER", f"Contact: <sip:ann@{PHONE}>", via=f"{PHONE};rport")
        assert found((IN, text)) == [PHONE]

    def test_maddr_is_found(self) -> None:
        text = request("REGISTER", f"Contact: <sip:ann@{PHONE}>", via=f"{PHONE};maddr={OWN}")
        assert found((IN, text)) == [PHONE, OWN, PHONE]

    def test_only_the_topmost_via_is_the_phone_s(self) -> None:
        text = request("OPTIONS", f"Via: SIP/2.0/UDP {PHONE};branch=z9hG4bK2", f"Contact: <sip:ann@{PHONE}>")
        assert found((IN, text)) == [PHONE, PHONE]

    def test_the_request_uri_and_identities_stay(self) -> None:
        """A digest covers the URI."""
        text = invite().replace(b"INVITE sip:bob@203.0.113.10", b"INVITE sip:bob@192.168.1.10:40000")
        text = text.replace(b"sip:ann@203.0.113.10", b"sip:ann@192.168.1.10:40000")
        assert PHONE not in found((IN, text))[1:]

    def test_mode_media_finds_none_of_it(self) -> None:
        assert Heard((IN, REGISTER), (OUT, BACK)).found == []


def said_to(endpoint: str) -> bytes:
    """The outside's request to an endpoint."""
    return request("OPTIONS", call="2@there", via=str(REMOTE)).replace(
        b"sip:bob@203.0.113.10 ", f"sip:ann@{endpoint} ".encode()
    )


class TestWhatThePhoneHears:
    def test_its_own_endpoint_in_answers(self) -> None:
        assert found((IN, REGISTER), (OUT, BACK)) == [ABROAD, ABROAD]

    def test_received_and_rport(self) -> None:
        asking = request("REGISTER", f"Contact: <sip:ann@{PHONE}>", via=f"{PHONE};rport")
        for order in (f"received={EXTERNAL};rport=40000", f"rport=40000;received={EXTERNAL}"):
            back = response(200, "REGISTER", via=f"{PHONE};{order}")
            assert sorted(found((IN, asking), (OUT, back))) == sorted([str(EXTERNAL), "40000"])

    def test_received_from_another_host_stays(self) -> None:
        back = response(200, "REGISTER", via=f"{PHONE};received=198.51.100.9;rport=40000")
        asking = request("REGISTER", f"Contact: <sip:ann@{PHONE}>", via=f"{PHONE};rport")
        assert found((IN, asking), (OUT, back)) == []

    def test_the_request_uri(self) -> None:
        assert found((IN, REGISTER), (OUT, said_to(ABROAD))) == [ABROAD]

    def test_routes_of_its_own(self) -> None:
        text = said_to("phone.example").replace(
            b"From:", f"Route: <sip:{ABROAD};lr>, <sip:{REMOTE};lr>\r\nFrom:".encode()
        )
        assert found((IN, REGISTER), (OUT, text)) == [ABROAD]

    def test_endpoints_of_others_stay(self) -> None:
        back = response(200, "OPTIONS", f"Contact: <sip:bob@{REMOTE}>, <sip:bob@198.51.100.9>", via=ABROAD)
        asking = request("OPTIONS", f"Contact: <sip:ann@{PHONE}>")
        assert found((IN, asking), (OUT, back)) == [ABROAD]

    def test_a_phone_that_writes_no_port_hears_none(self) -> None:
        asking = request("REGISTER", f"Contact: <sip:ann@{OWN}>", via=OWN)
        heard = Heard((IN, asking), (OUT, BACK), mode="full", port=5060)
        places = [each.what for each in heard.listener.places[2:]]
        assert all(isinstance(each, Mentioned) for each in places)
        assert [each.write(INTERNAL, 5060) for each in places if isinstance(each, Mentioned)] == [
            OWN.encode()
        ] * 2
        assert [each.write(INTERNAL, 5062) for each in places if isinstance(each, Mentioned)] == [
            b"192.168.1.10:5062"
        ] * 2


class TestAllOrNothing:
    """A dialog goes on as it began, whatever its later messages say."""

    def test_one_that_is_translated(self) -> None:
        later = request("INVITE", f"Contact: <sip:ann@{ABROAD}>", number=2)
        assert found((IN, request("INVITE", f"Contact: <sip:ann@{PHONE}>")), (IN, later)) == [PHONE]

    def test_one_that_is_not(self) -> None:
        first = request("INVITE", f"Contact: <sip:ann@{ABROAD}>")
        assert found((IN, first), (IN, request("INVITE", f"Contact: <sip:ann@{PHONE}>", number=2))) == []
        assert found((IN, first), (IN, request("BYE", number=3))) == []

    def test_a_registration_may_begin_anew(self) -> None:
        """A phone that has learned its address registers it instead."""
        learned = request("REGISTER", f"Contact: <sip:ann@{ABROAD}>", number=2)
        assert found((IN, REGISTER), (IN, learned)) == []

    def test_a_dialog_that_the_outside_begins_goes_as_the_registration(self) -> None:
        learned = request("REGISTER", f"Contact: <sip:ann@{ABROAD}>")
        answer = response(200, "OPTIONS", f"Contact: <sip:ann@{PHONE}>", call="2@there", via=str(REMOTE))
        assert found((IN, REGISTER), (OUT, said_to(ABROAD)), (IN, answer)) == [PHONE]
        assert found((IN, learned), (OUT, said_to(ABROAD)), (IN, answer)) == []


@pytest.mark.parametrize(
    "contact",
    [
        f"<sip:ann@{PHONE}",
        f'"ann <sip:ann@{PHONE}>',
        f"<sip:ann@{OWN}:70000>",
        ", ".join([f"<sip:ann@{PHONE}>"] * 33),
    ],
)
def test_a_contact_that_cannot_be_read_is_counted(contact: str) -> None:
    heard = Heard((IN, request("REGISTER", f"Contact: {contact}")), mode="full")
    assert (heard.found, heard.left_alone) == ([], ["malformed"])


@pytest.mark.parametrize(
    "via", ["", "x", "SIP/2.0/UDP", f"SIP/2.0/UDP {OWN}:x", f"SIP/2.0/UDP {PHONE} {PHONE}"]
)
def test_a_via_that_cannot_be_read_is_counted(via: str) -> None:
    text = REGISTER.replace(b"Via: SIP/2.0/UDP 192.168.1.10:40000;branch=z9hG4bK1", f"Via: {via}".encode())
    heard = Heard((IN, text), mode="full")
    assert (heard.found, heard.left_alone) == ([], ["malformed"])


def test_the_session_s_port_is_named_with_its_address() -> None:
    places = [each.what for each in Heard((IN, REGISTER), mode="full").listener.places]
    assert [(each.address, each.port) for each in places if isinstance(each, Named)] == [
        (INTERNAL, 40000)
    ] * 2
