"""`coverage`: how much of the records of a server or a folder mapping makes use of, and what it does not know."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .context import JsonOption, TodayOption, with_services

if TYPE_CHECKING:
    from datetime import date

    from careplan_exchange.bootstrap import Services
    from careplan_exchange.model.coverage import Coverage
    from careplan_exchange.model.vocabulary import Vocabulary

    from .surveying import Job


def register(app: typer.Typer) -> None:
    app.command("coverage", epilog="Example: careplan coverage --bundles ./export --skeleton site.yaml")(coverage)


def coverage(
    endpoint: Annotated[
        str | None,
        typer.Option("--endpoint", "-e", help="FHIR server: a URL, a name in careplan.toml, or a Bundle file."),
    ] = None,
    patient: Annotated[
        list[str] | None,
        typer.Option("--patient", "-p", help="A patient's id there, or SYSTEM|VALUE; repeatable."),
    ] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="The first N patients that the server lists.", metavar="N")
    ] = None,
    bundles: Annotated[
        Path | None, typer.Option(help="A folder of Bundle files instead, one patient each.", metavar="DIR")
    ] = None,
    *,
    today: TodayOption = None,
    skeleton: Annotated[
        Path | None,
        typer.Option(
            help="Write what is missing as YAML for mappings/, with blanks to fill: codes to FILE, units and "
            "types to the same name with '-other'. A file that is there is kept.",
            metavar="FILE",
        ),
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Also write the report as a Markdown page.", metavar="FILE")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Count every resource as used, not needed or not understood, and every code and unit as mapped or not.

    Used: a fact came of it, or it says who the patient is or what is in a medicine. Not needed: its type or code
    was judged in mappings/ and means no concept, or the record says that it does not count (entered in error,
    cancelled, not done). Not understood: everything else; the causes are the keys of `careplan map`.

    The report holds codes, units, displays of codings and counts, and nothing else of a patient. A record that
    cannot be read is counted, and the exit code is that of the first; the others are reported all the same.
    """
    import sys

    from . import coverage_report, show, surveying

    if skeleton is not None:
        surveying.refuse_existing(skeleton)
    job = surveying.Job.of(endpoint, patient or [], sample, bundles)

    async def work(services: "Services") -> "tuple[Coverage, Vocabulary, int]":
        return await _counted(services, job, surveying.day(services, today))

    report, vocabulary, exit_code = with_services(work)
    written = surveying.write_skeleton(report, vocabulary, skeleton) if skeleton is not None else ()
    if markdown is not None:
        show.write_file(markdown, coverage_report.markdown(report).encode())
    if json:
        show.print_json(report)
    else:
        coverage_report.print_coverage(report)
        for path in written:
            show.out.print(f"Wrote {show.escape(str(path))}. Fill its blanks, then: careplan knowledge check")
    sys.exit(exit_code)


async def _counted(services: "Services", job: "Job", today: "date") -> "tuple[Coverage, Vocabulary, int]":
    from . import surveying

    report, exit_code = await surveying.run(services, job, today)
    return report, services.knowledge.vocabulary, exit_code
