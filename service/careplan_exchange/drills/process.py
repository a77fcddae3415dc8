"""One exchange by the command line, in a process of its own that can be killed at any moment."""

import asyncio
import json
import os
import sys
from contextlib import suppress
from pathlib import Path

from careplan_exchange import config

_SECONDS = 120
_PASSWORD = "DRILL_STORE_PASSWORD"  # noqa: S105 - the name of a variable


class Killable:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(
        cls,
        folder: Path,
        endpoint: config.Endpoint,
        *,
        store: str,
        password: str | None,
        patient: str,
        today: str,
    ) -> "Killable":
        lines = [
            "[endpoints.drilled]",
            f"url = {json.dumps(str(endpoint.url))}",
            f"identity = {json.dumps(endpoint.identity or 'drill')}",
            "[store]",
            f"url = {json.dumps(store)}",
        ]
        if password is not None:
            lines.append(f"password_env = {json.dumps(_PASSWORD)}")
        file = folder / "careplan.toml"
        file.write_text("\n".join(lines) + "\n")
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CAREPLAN_")}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "careplan_exchange", "--config", str(file), "sync", "--json"),
            *("--endpoint", "drilled", "--patient", patient, "--today", today),
            cwd=folder,
            env=clean | ({_PASSWORD: password} if password is not None else {}),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return cls(process)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()

    async def ended(self) -> tuple[str | None, str]:
        """The exchange and its outcome, as its receipt says; (None, "killed") where there is none."""
        try:
            async with asyncio.timeout(_SECONDS):
                output, _ = await self._process.communicate()
        except TimeoutError:
            self.kill()
            await self._process.wait()
            return None, "killed"
        try:
            receipt = json.loads(output)
        except ValueError:
            return None, "killed"
        return str(receipt["exchange"]), str(receipt["outcome"])
