"""A process that only reads and is killed leaves the record of what it had read."""

import signal
import subprocess
import time
from pathlib import Path

from careplan_exchange.audit import kept_events
from careplan_exchange.sandbox.faults import Fault
from tests.support.patients import synthetic
from tests.support.product import SYNTHETIC_TODAY, Server, command, environment, product
from tests.support.weakened import weakened_sandbox


async def test_a_run_that_is_killed_while_it_reads_leaves_what_it_had_read(tmp_path: Path) -> None:
    with weakened_sandbox() as (url, layer):
        patient = Server(url).load(synthetic("02-older-adult-si-units"))
        layer.log.clear()
        # The record comes in one batch, of which one search has a further page, and that one is not answered in time.
        layer.faults.arm(Fault(kind="small_pages", size=1, path="^Condition"))
        layer.faults.arm(Fault(kind="latency", method="GET", path="^(?!metadata)", seconds=8))
        process = subprocess.Popen(
            command("plan", "-e", url, "-p", patient, "--today", SYNTHETIC_TODAY),
            cwd=tmp_path,
            env=environment({}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + 30
        while not [one for one in layer.log if one[0] == "GET"] and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert [method for method, _, _ in layer.log] == ["POST", "GET"]
        async with product(tmp_path, url) as services:
            events = [event async for event in kept_events(services.outbox)]
    assert {event["subtype"][0]["code"] for event in events} == {"search-type"}
    assert len(events) > 10
    people = {
        each["what"]["identifier"]["value"]
        for event in events
        for each in event["entity"]
        if each.get("what", {}).get("type") == "Patient"
    }
    assert people == {f"Patient/{patient}"}
