"""What every command shares: the global options, the settings, and one event loop."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, TypeVar

import typer

if TYPE_CHECKING:
    from careplan_exchange.bootstrap import Services
    from careplan_exchange.config import Settings

T = TypeVar("T")

EndpointOption = Annotated[
    str, typer.Option("--endpoint", "-e", help="FHIR server: a URL, a name in careplan.toml, or a Bundle file.")
]
PatientOption = Annotated[
    str, typer.Option("--patient", "-p", help="The patient's id there, or a business identifier: SYSTEM|VALUE.")
]
TodayOption = Annotated[
    str | None, typer.Option(help="Plan as of this date (YYYY-MM-DD) instead of today.", metavar="DATE")
]
SinceOption = Annotated[
    Path | None,
    typer.Option(
        help="Keep the record that was read in FILE (mode 0600: it is clinical data). Where an earlier reading "
        "is there, only what changed since is asked for, or everything if the server may not tell.",
        metavar="FILE",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the facts as JSON.")]


class GlobalOptions(NamedTuple):
    config: Path | None = None
    store: str | None = None
    log_level: str | None = None


_options = GlobalOptions()


def set_options(options: GlobalOptions) -> None:
    global _options  # noqa: PLW0603 - one process is one command
    _options = options
    settings.cache_clear()


def store_option() -> str | None:
    """The database of `--store`, where that was given: what is kept beside the settings' own."""
    return _options.store


@cache
def settings() -> "Settings":
    """The settings of this command: file, environment, options. Also sets up the log."""
    from careplan_exchange import config, logs
    from careplan_exchange.errors import UsageError

    loaded = config.load(_options.config)
    changes: dict[str, Any] = {}
    if _options.store is not None:
        changes["store"] = loaded.store.model_copy(update={"url": _options.store})
    if _options.log_level is not None:
        level = _options.log_level.upper()
        if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise UsageError("That is not a log level.", mend="Give DEBUG, INFO, WARNING or ERROR.")
        changes["log_level"] = level
    loaded = loaded.model_copy(update=changes)
    logs.configure(loaded.log_level)
    return loaded


def with_services(work: "Callable[[Services], Awaitable[T]]") -> T:
    """Open what the settings describe, do the work, close it again."""
    from careplan_exchange.bootstrap import services

    async def run() -> T:
        async with services(settings()) as opened:
            return await work(opened)

    return asyncio.run(run())
