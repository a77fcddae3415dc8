"""What `careplan demo` does, step by step. Every step checks what it claims: a claim that fails ends the demo."""

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from careplan_exchange import bootstrap, config, logs
from careplan_exchange.errors import CareplanError, UsageError
from careplan_exchange.model.codec import decode, encode
from careplan_exchange.model.exchange import ExchangeRequest
from careplan_exchange.model.proposal import Proposal
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.review.page import plan_page
from careplan_exchange.sandbox import PATIENTS, Fault, Sandbox, serve_in_background

from . import show, summary

TODAY = "2026-11-24"
"""The synthetic records were made for this day; on another their laboratory values would be out of date."""

_SETTINGS = """\
[endpoints.sandbox]
url = {url}
identity = "demo"

[store]
url = {database}
"""
_SHOWN = "09-inherited-risks-and-liver-disease"
_WHO = (
    "a woman of 49 with an inherited risk of high cholesterol (LDLR), heart disease (her father, at 46) and "
    "breast cancer (BRCA1), narrowed coronary arteries, and cirrhosis from alcohol"
)
_EDITED = "02-older-adult-si-units"
_KILLED = "04-kidney-disease"


class DemoError(CareplanError):
    """A step of the demo did not come to what it claims."""

    key = "demo"
    title = "The demo did not come to what it claims"


def run_demo(folder: Path | None) -> None:
    """Run it all. Raises DemoError, and whatever the product itself raises."""
    place = folder or Path(tempfile.mkdtemp(prefix="careplan-demo-"))
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{place} cannot be made: {error.strerror}.", mend="Name another --folder.") from None
    database = place / "careplan.db"
    if database.exists():
        raise UsageError(f"{place} holds an earlier demo.", mend="Name another --folder, or none.")
    logs.configure("ERROR")
    _leave_out_the_environment()
    with serve_in_background(PATIENTS) as sandbox:
        show.out.print(f"[bold]The sandbox[/] answers at {sandbox.url}, with synthetic patients.\n")
        settings_file = place / "careplan.toml"
        values = {"url": sandbox.url, "database": f"sqlite:///{database.resolve()}"}
        quoted = {name: json.dumps(value, ensure_ascii=False) for name, value in values.items()}
        show.write_file(settings_file, _SETTINGS.format(**quoted).encode())
        asyncio.run(_steps(settings_file, sandbox, place))


def _leave_out_the_environment() -> None:
    """The demo stands alone: a variable meant for a real installation must not lead it to that database."""
    for variable in [name for name in os.environ if name.upper().startswith("CAREPLAN_")]:
        del os.environ[variable]


async def _steps(settings_file: Path, sandbox: Sandbox, place: Path) -> None:
    async with bootstrap.services(config.load(settings_file)) as services, httpx.AsyncClient(timeout=30) as http:
        demo = _Demo(services, sandbox, http)
        patients = await demo.patients()
        killed = patients[_KILLED]
        receipts = await demo.sync_all({name: one for name, one in patients.items() if name != _KILLED})
        show.out.print(_table_of(receipts))
        await demo.edit_as_a_clinician(patients[_EDITED])
        await demo.kill_between_commit_and_answer(killed, settings_file)
        verdict = await services.ledger.verify()
        show.out.print("\n[bold]The ledger[/], its last exchanges:")
        show.print_exchanges(await services.records.exchanges(5))
        show.print_verdict(verdict)
        _claim(verdict.problem is None, "the ledger's hash chain holds")
        receipt, proposal = receipts[_SHOWN], await services.proposal("sandbox", patients[_SHOWN], TODAY)
        show.out.print(f"\n[bold]One patient's plan in short:[/] {_WHO}.")
        summary.print_summary(proposal)
        page = _leave_page(place, proposal, receipt, sandbox.url)
        show.out.print(f"\n[bold]The whole plan, to look at:[/] {page.as_uri()}", soft_wrap=True)


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
            sorted(
                (entry["resource"]["identifier"][0]["value"], entry["resource"]["id"]) for entry in found["entry"]
            )
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
        waiting = await self.services.reviews.listed()
        _claim(len(waiting) == len(patients), "each draft waits for a person to adopt it")
        show.out.print("Each plan stands as a draft, and waits for a person to adopt it (careplan review list).")
        return receipts

    async def edit_as_a_clinician(self, patient: str) -> None:
        show.out.print(
            "\n[bold]A clinician edits.[/] Activates one plan, renames it, adds a note and an activity."
        )
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

    async def kill_between_commit_and_answer(self, patient: str, settings_file: Path) -> None:
        show.out.print("\n[bold]A sync is killed[/] after the server has committed and before it has answered.")
        self.sandbox.arm(Fault(kind="late_answer", method="POST", path="^$", times=1, seconds=20, skip=1))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "careplan_exchange", "--config", str(settings_file)),
            *("sync", "--endpoint", "sandbox", "--patient", patient, "--today", TODAY),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while not await self.plans_of(patient):
            _claim(process.returncode is None and time.monotonic() < deadline, "the server commits the write")
            await asyncio.sleep(0.05)
        process.kill()
        await process.wait()
        self.sandbox.calm()
        receipt = await self.sync(patient)
        plans, goals = await self.plans_of(patient), await self.get(f"Goal?patient=Patient/{patient}&_count=200")
        identities = [goal["resource"]["identifier"][0]["value"] for goal in goals["entry"]]
        _claim(len(plans) == 1, "one plan stands after the kill")
        _claim(len(identities) == len(set(identities)), "one of each goal stands after the kill")
        show.out.print(
            f"Run again: [blue]{receipt.outcome}[/]. One plan, {len(identities)} goals, none of them twice."
        )

    async def plan_of(self, patient: str) -> dict[str, Any]:
        plans = await self.plans_of(patient)
        _claim(len(plans) == 1, "the patient has one plan")
        return plans[0]

    async def plans_of(self, patient: str) -> list[dict[str, Any]]:
        found = await self.get(f"CarePlan?patient=Patient/{patient}")
        return [entry["resource"] for entry in found.get("entry", ())]

    async def get(self, path: str) -> dict[str, Any]:
        answer = await self.http.get(f"{self.sandbox.url}/{path}", headers={"Cache-Control": "no-cache"})
        _claim(answer.status_code == 200, "the sandbox answers")
        body: dict[str, Any] = decode(answer.content)
        return body


def _table_of(receipts: dict[str, Receipt]) -> Table:
    table = Table(title="What each sync came to", title_justify="left", title_style="bold")
    for column in ("patient", "outcome", "CarePlan", "Goals", "DetectedIssues", "issues"):
        table.add_column(column)
    for name, receipt in receipts.items():
        kinds = [resource.reference.split("/")[0] for resource in receipt.resources]
        counts = [str(kinds.count(kind)) for kind in ("CarePlan", "Goal", "DetectedIssue")]
        table.add_row(name, receipt.outcome, *counts, str(len(receipt.issues)))
    return table


def _leave_page(place: Path, proposal: Proposal, receipt: Receipt, server: str) -> Path:
    page = (place / "plan.html").resolve()
    show.write_file(page, plan_page(proposal, receipt=receipt, server=server).encode())
    return page


def _claim(holds: bool, claim: str) -> None:
    if not holds:
        raise DemoError(f"Not so: {claim}.", mend="Report this; the folder of the demo has the ledger.")
