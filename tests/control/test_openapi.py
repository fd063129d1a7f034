"""The API's document: complete, valid, and true of the answers."""

from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate
from support.behind import CLIENT, OTHER_CLIENT, Bare, forwarding, speak

from nfmasq.control.api import application
from nfmasq.control.client import Answer, Client
from nfmasq.control.listings import LISTINGS
from nfmasq.runtime.forwards import Forwards


@pytest.fixture
def document(client: Client) -> Answer:
    """The document, as the API serves it."""
    return client.get("/v1/openapi.json")


def fits(document: Answer, operation: Answer, answer: Answer) -> None:
    """Fail unless an answer is as the operation's description says, with no key besides."""
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    OAS31Validator({**schema, "components": document["components"]}).validate(answer)
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    assert set(answer) <= set(schema["properties"])


def test_the_document_is_valid(document: Answer) -> None:
    validate(document)


def test_every_route_is_described_and_every_description_routed(running: Bare, document: Answer) -> None:
    routes = {
        (route.resource.canonical, route.method.lower())
        for route in application(running).router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    described = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert routes == described
    assert all(each["summary"] for methods in document["paths"].values() for each in methods.values())


@pytest.mark.parametrize("name", [*LISTINGS, "status"])
def test_an_answer_is_as_the_document_says(
    running: Bare, client: Client, document: Answer, name: str
) -> None:
    for host in (CLIENT, OTHER_CLIENT):
        speak(running.table, host, 5000)
    running.book = Forwards(forwarding({"protocol": "tcp", "external_port": "80", "to": str(CLIENT)}))
    answer = client.get(f"/v1/{name}")
    assert answer[name] if name in LISTINGS else answer["problems"] == []
    fits(document, document["paths"][f"/v1/{name}"]["get"], answer)


def test_changes_are_answered_as_the_document_says(client: Client, document: Answer) -> None:
    paths = document["paths"]
    added = client.post("/v1/forwards", {"protocol": "udp", "external_port": "53", "to": str(CLIENT)})
    fits(document, paths["/v1/forwards"]["post"], added)
    removed = client.delete(f"/v1/forwards/{added['id']}")
    fits(document, paths["/v1/forwards/{id}"]["delete"], removed)
    fits(document, paths["/v1/helpers/{name}"]["put"], client.put("/v1/helpers/irc", {"enabled": True}))
    fits(document, paths["/v1/flush"]["post"], client.post("/v1/flush", {"all": True}))
    fits(document, paths["/v1/reload"]["post"], client.post("/v1/reload"))
    fits(document, paths["/v1/openapi.json"]["get"], document)


def test_the_parameters_described_are_those_a_list_takes(client: Client, document: Answer) -> None:
    given: dict[str, Any] = {"host": CLIENT, "port": 80, "protocol": "tcp", "helper": "ftp", "limit": 1}
    for name in LISTINGS:
        described = document["paths"][f"/v1/{name}"]["get"]["parameters"]
        taken = {each["name"] for each in described} - {"after"}
        assert name in client.get(f"/v1/{name}", **{each: given[each] for each in taken})
