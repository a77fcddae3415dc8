"""`protocol …`: writing a clinical protocol, from the skeleton to comparing two versions over patients."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from .context import JsonOption, TodayOption

OverlayOption = Annotated[
    Path | None,
    typer.Option(
        "--overlay",
        "-o",
        help="Your own knowledge folder, laid over ours (default: [knowledge] overlay).",
        metavar="DIR",
    ),
]
NameArgument = Annotated[str, typer.Argument(help="The protocol's id, which is its folder's name.")]
FolderOption = Annotated[
    Path | None, typer.Option("--folder", help="A folder of Bundle files, one a patient.", metavar="DIR")
]


def register(app: typer.Typer) -> None:
    group = typer.Typer(
        help="Write clinical protocols: skeleton, lint, golden cases, preview, comparison, pages.",
        no_args_is_help=True,
        epilog="Example: careplan protocol new gout --trigger gout --overlay site",
    )
    group.command("new", epilog="Example: careplan protocol new gout --trigger gout --overlay site")(new)
    group.command("lint", epilog="Example: careplan protocol lint gout --overlay site")(lint)
    group.command("test", epilog="Example: careplan protocol test gout --overlay site")(golden)
    group.command("preview", epilog="Example: careplan protocol preview gout -o site --patient record.json")(
        preview
    )
    group.command("diff", epilog="Example: careplan protocol diff gout ../old/gout -o site --folder patients")(
        diff
    )
    group.command("docs", epilog="Example: careplan protocol docs gout -o site --to pages")(docs)
    app.add_typer(group, name="protocol")


def new(
    name: NameArgument,
    trigger: Annotated[
        str,
        typer.Option(
            help="The condition concept that the protocol is for (see docs/profiles.md).", metavar="CONCEPT"
        ),
    ],
    overlay: OverlayOption = None,
    today: TodayOption = None,
) -> None:
    """A working skeleton: plan, one activity, README and two golden cases, in your own knowledge folder."""
    from . import protocol_work, show

    written = protocol_work.begin(name, trigger, overlay, today)
    for path in written:
        show.out.print(f"Wrote {show.escape(str(path))}")
    where = f" --overlay {overlay}" if overlay is not None else ""
    show.out.print(
        f"[bold]Next:[/] careplan protocol test {name}{where}, then fill in what says TODO.", soft_wrap=True
    )


def lint(
    name: Annotated[str | None, typer.Argument(help="Only this protocol.")] = None,
    overlay: OverlayOption = None,
    today: TodayOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """What is wrong with protocols, by file, line and mend. Ends with 2 where there is a finding."""
    from . import protocol_work, show

    findings = protocol_work.findings(name, overlay, today)
    if json:
        show.print_json(findings)
    elif findings:
        show.print_findings(findings)
    else:
        show.out.print("[green]Nothing to mend.[/]")
    sys.exit(2 if findings else 0)


def golden(
    name: Annotated[str | None, typer.Argument(help="Only the cases in this protocol's file.")] = None,
    overlay: OverlayOption = None,
    cases: Annotated[
        Path | None,
        typer.Option(help="A file of cases, or a folder of them (default: OVERLAY/cases).", metavar="PATH"),
    ] = None,
    *,
    json: JsonOption = False,
) -> None:
    """Run golden cases: a patient in, exactly the expected lines out. Ends with 1 where one differs."""
    from . import protocol_work, show

    outcomes = protocol_work.tested(name, overlay, cases)
    if json:
        show.print_json(
            [{"case": o.case.name, "file": o.case.file, "line": o.case.line, "wrong": o.wrong} for o in outcomes]
        )
    else:
        for outcome in outcomes:
            mark = "[red]wrong[/]" if outcome.wrong else "[green]ok[/]   "
            where = f"{outcome.case.file}:{outcome.case.line}"
            show.out.print(f"{mark} {show.escape(outcome.case.name)}  [dim]{show.escape(where)}[/]")
            for text in outcome.wrong:
                show.out.print(f"      {show.escape(text)}")
        wrong = sum(bool(outcome.wrong) for outcome in outcomes)
        show.out.print(f"{len(outcomes)} cases, {wrong} wrong")
    sys.exit(1 if any(outcome.wrong for outcome in outcomes) else 0)


def preview(
    name: NameArgument,
    *,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", "-e", help="FHIR server: a URL, or a name in careplan.toml.")
    ] = None,
    patient: Annotated[
        str | None,
        typer.Option("--patient", "-p", help="A Bundle file of one patient; with --endpoint, the patient's id."),
    ] = None,
    folder: FolderOption = None,
    overlay: OverlayOption = None,
    today: TodayOption = None,
    json: JsonOption = False,
) -> None:
    """What this protocol alone gives one patient and why; with --folder, how many of its patients each action
    would reach. Nothing is written to a server."""
    from . import protocol_work, show

    found = protocol_work.previewed(name, overlay, today, endpoint=endpoint, patient=patient, folder=folder)
    if json:
        show.print_json(
            {
                "proposal": found.proposal,
                "explanation": found.explanation,
                "reach": found.reach,
                "leftOut": found.left_out,
            }
        )
    else:
        protocol_work.print_preview(found)


def diff(
    first: Annotated[
        str, typer.Argument(help="A protocol's id, or a folder that holds its plan.yaml.", metavar="A")
    ],
    second: Annotated[str, typer.Argument(help="The other one.", metavar="B")],
    folder: Annotated[
        Path, typer.Option("--folder", help="A folder of Bundle files, one a patient.", metavar="DIR")
    ],
    overlay: OverlayOption = None,
    today: TodayOption = None,
    *,
    json: JsonOption = False,
) -> None:
    """What changes for which patients of a folder if B stands in place of A."""
    from . import protocol_work, show

    found = protocol_work.compared(first, second, folder, overlay, today)
    if json:
        show.print_json({"patients": found.patients, "changed": found.changed, "leftOut": found.left_out})
    else:
        protocol_work.print_comparison(found)


def docs(
    name: Annotated[str | None, typer.Argument(help="Only this protocol, on standard output.")] = None,
    overlay: OverlayOption = None,
    to: Annotated[Path | None, typer.Option(help="Write one page a protocol into DIR.", metavar="DIR")] = None,
) -> None:
    """One page a protocol in Markdown: goals, activities, texts, sources, source attributes."""
    from . import protocol_work, show

    pages = protocol_work.pages(name, overlay)
    if to is None:
        show.print_bytes("\n".join(pages.values()).encode())
        return
    show.make_folder(to)
    for one, text in pages.items():
        show.write_file(to / f"{one}.md", text.encode())
    show.out.print(f"Wrote {len(pages)} pages to {show.escape(str(to))}")
