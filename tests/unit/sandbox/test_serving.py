"""The sandbox on a port: loopback, its own thread or process, and what a kill leaves behind."""

import contextlib
import random
import socket
import threading
import uuid

import httpx
import pytest

from careplan_exchange.errors import UsageError
from careplan_exchange.sandbox import PATIENTS, connections, run, serve_in_background
from tests.support.servers import announced_url, start_sandbox

from .conftest import FHIR


def test_a_sandbox_in_the_background_is_loaded_answers_on_loopback_and_ends_with_its_block():
    with serve_in_background(PATIENTS) as sandbox:
        assert sandbox.url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{sandbox.url}/Patient?_summary=count").json()["total"] == len(list(PATIENTS.iterdir()))
    with pytest.raises(httpx.ConnectError):
        httpx.get(sandbox.url)
    assert "sandbox" not in [thread.name for thread in threading.enumerate()]


def test_a_sandbox_in_the_background_asks_for_credentials_when_told_to():
    with serve_in_background(bearer="t0ken", release="R5") as sandbox:
        assert httpx.get(f"{sandbox.url}/Patient").status_code == 401
        assert httpx.get(f"{sandbox.url}/Patient", headers={"Authorization": "Bearer t0ken"}).status_code == 200
        assert httpx.get(f"{sandbox.url}/metadata").json()["fhirVersion"] == "5.0.0"


def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_first_part():
    """Where TCP_NODELAY is missing, an answer on a connection that is kept takes 40 ms."""
    with serve_in_background() as sandbox:
        port = int(sandbox.url.split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET /fhir/metadata HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(1)
            accepted = connections._OPEN[client.getsockname(), client.getpeername()]
            option = accepted.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert option != 0


def test_a_port_that_is_taken_is_refused_with_what_to_do():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with pytest.raises(UsageError, match="taken") as caught:
            run(port=holder.getsockname()[1])
    assert "--port" in caught.value.mend


def test_a_sandbox_that_is_killed_keeps_what_it_answered_and_no_half_transaction(tmp_path):
    rng = random.Random(20261124)
    answered: list[str] = []
    asked: list[str] = []
    for number in range(3):
        log = tmp_path / f"log{number}"
        process = start_sandbox(log, "--port", "0", "--database", str(tmp_path / "sandbox.db"))
        url = announced_url(process, log)
        assert_whole(url, asked, answered)
        killer = threading.Timer(rng.uniform(0, 0.02), process.kill)
        enough = len(answered) + rng.randint(3, 9)
        with httpx.Client(timeout=20) as http, contextlib.suppress(httpx.TransportError):
            while True:
                if len(answered) == enough:
                    killer.start()
                value = uuid.uuid4().hex
                asked.append(value)
                if http.post(url, json=family(value), headers=FHIR).status_code == 200:
                    answered.append(value)
        killer.join()
        process.wait()
    log = tmp_path / "last"
    process = start_sandbox(log, "--port", "0", "--database", str(tmp_path / "sandbox.db"))
    try:
        assert_whole(announced_url(process, log), asked, answered)
    finally:
        process.kill()
        process.wait()


def family(value):
    """A patient and two goals, all or nothing."""
    goal = {
        "resourceType": "Goal",
        "identifier": [{"value": value}],
        "lifecycleStatus": "active",
        "description": {"text": "walk"},
        "subject": {"reference": "urn:uuid:1"},
    }
    entries = [
        {
            "fullUrl": "urn:uuid:1",
            "resource": {"resourceType": "Patient", "identifier": [{"value": value}]},
            "request": {"method": "POST", "url": "Patient"},
        },
        *({"resource": goal, "request": {"method": "POST", "url": "Goal"}} for _ in range(2)),
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


def assert_whole(url, asked, answered):
    with httpx.Client() as http:
        for value in asked:
            found = [
                http.get(f"{url}/{kind}?identifier={value}&_summary=count").json()["total"]
                for kind in ("Patient", "Goal")
            ]
            assert found in ([[1, 2]] if value in answered else [[1, 2], [0, 0]])
