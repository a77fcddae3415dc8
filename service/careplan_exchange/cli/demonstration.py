"""What `careplan demo` does, step by step. Every step asserts what it claims: a claim that fails ends the demo."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from careplan_exchange import bootstrap, config, logs
from careplan_exchange.errors import CareplanError
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.review.page import plan_page
from careplan_exchange.sandbox import PATIENTS, Fault, Sandbox, serve_in_background

from . import show

TODAY = "2026-11-24"
"""The synthetic records were made for this day; on another their laboratory values would be out of date."""

_SHOWN = "02-older-adult-si-units"
_KILLED = "04-kidney-disease"


class DemoError(CareplanError):
    """A step of the demo did not come to what it claims."""

    key = "demo"
    title = "The demo did not come to what it claims"


def run_demo(folder: Path | None) -> None:
    """Run it all. Raises DemoError, and whatever the product itself raises."""
    place = folder or Path(tempfile.mkdtemp(prefix="careplan-demo-"))
    place.mkdir(parents=True, exist_ok=True)
    database = place / "careplan.db"
    for old in place.glob("careplan.db*"):
        old.unlink() if old.is_file() else None
    logs.configure("ERROR")
    with serve_in_background(PATIENTS) as sandbox:
        show.out.print(f"[bold]The sandbox[/] answers at {sandbox.url}, with synthetic patients.\n")
        settings = config.Settings(
            endpoints={"sandbox": config.Endpoint.model_validate({"url": sandbox.url, "identity": "demo"})},
            store=config.Store(url=f"sqlite:///{database}"),
        )
        asyncio.run(_steps(settings, sandbox, place, database))


async def _steps(settings: config.Settings, sandbox: Sandbox, place: Path, database: Path) -> None:
    async with bootstrap.services(settings) as services, httpx.AsyncClient(timeout=30) as http:
        demo = _Demo(services, sandbox, http)
        patients = await demo.patients()
        killed = patients[_KILLED]
        receipts = await demo.sync_all({name: one for name, one in patients.items() if name != _KILLED})
        show.out.print(_table_of(receipts, patients))
        await demo.edit_as_a_clinician(patients[_SHOWN])
        await demo.kill_between_commit_and_answer(killed, database)
        verdict = await services.ledger.verify()
        show.out.print("\n[bold]The ledger.[/]")
        show.print_exchanges(await services.finished_exchanges(50))
        show.print_verdict(verdict)
        _claim(verdict.problem is None, "the ledger's hash chain holds")
        receipt, proposal = receipts[_SHOWN], await services.proposal("sandbox", patients[_SHOWN], TODAY)
        page = _leave_page(place, proposal, receipt, sandbox.url)
        show.out.print(f"\n[bold]One patient's plan, to look at:[/] {page.as_uri()}")


class _Demo:
    """The product on one side, the sandbox seen as a clinician's system would see it on the other."""

    def __init__(self, services: bootstrap.Services, sandbox: Sandbox, http: httpx.AsyncClient) -> None:
        self.services = services
        self.sandbox = sandbox
        self.http = http

    async def patients(self) -> dict[str, str]:
        """The ids of the synthetic patients, by the name of their file."""
        found = await self.get("Patient?_count=100")
        return dict(
            sorted((entry["resource"]["identifier"][0]["value"], entry["resource"]["id"]) for entry in found["entry"])
        )

    async def sync(self, patient: str) -> Receipt:
        request = ExchangeRequest(endpoint="sandbox", patient=patient, today=TODAY)
        return await self.services.run(request, exchange_id=self.services.ids.new())

    async def sync_all(self, patients: dict[str, str]) -> dict[str, Receipt]:
        show.out.print("[bold]Sync.[/] Pull, map, plan, compare, decide, write, record:")
        receipts = {}
        columns = (TextColumn("{task.description:<40}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=show.out) as progress:
            task = progress.add_task("", total=len(patients))
            for name, patient in patients.items():
                progress.update(task, description=name)
                receipts[name] = await self.sync(patient)
                progress.advance(task)
            progress.update(task, description="all synced")
        for name, patient in patients.items():
            again = await self.sync(patient)
            _claim(again.outcome == "unchanged", f"a second sync of {name} changes nothing")
        show.out.print("A second sync of each: [green]unchanged[/].")
        return receipts

    async def edit_as_a_clinician(self, patient: str) -> None:
        show.out.print("\n[bold]A clinician edits.[/] Activates one plan, renames it, adds a note and an activity.")
        plan = await self.plan_of(patient)
        edited = {
            **plan,
            "status": "active",
            "title": "Agreed at the visit",
            "note": [*plan.get("note", ()), {"text": "Prefers to start with walking."}],
            "activity": [
                *plan["activity"],
                {"detail": {"status": "scheduled", "description": "Walking group on Tuesdays"}},
            ],
        }
        answer = await self.http.put(
            f"{self.sandbox.url}/CarePlan/{plan['id']}",
            content=encode(edited),
            headers={"Content-Type": "application/fhir+json", "If-Match": f'W/"{plan["meta"]["versionId"]}"'},
        )
        _claim(answer.status_code == 200, "the clinician's edit is stored")
        receipt = await self.sync(patient)
        after = await self.plan_of(patient)
        for element in ("status", "title", "note", "activity"):
            _claim(after[element] == edited[element], f"the clinician's {element} is still there")
        show.out.print(f"Synced again: [blue]{receipt.outcome}[/], and every edit is still there.")

    async def kill_between_commit_and_answer(self, patient: str, database: Path) -> None:
        show.out.print("\n[bold]A sync is killed[/] after the server has committed and before it has answered.")
        self.sandbox.arm(Fault(kind="late_answer", method="POST", path="^$", times=1, seconds=20, skip=1))
        process = subprocess.Popen(  # noqa: S603 - our own command
            [
                *(sys.executable, "-m", "careplan_exchange", "--store", f"sqlite:///{database}"),
                *("sync", "--endpoint", self.sandbox.url, "--patient", patient, "--today", TODAY),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={key: value for key, value in os.environ.items() if not key.startswith("CAREPLAN_")},
        )
        deadline = time.monotonic() + 20
        while not await self.plans_of(patient):
            _claim(process.poll() is None and time.monotonic() < deadline, "the server commits the write")
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.sandbox.calm()
