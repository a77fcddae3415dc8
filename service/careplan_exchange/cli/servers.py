"""`sandbox` and `serve`: our own FHIR server for trying things, and the HTTP service."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from .context import settings


def register(app: typer.Typer) -> None:
    app.command("sandbox", epilog="Example: careplan sandbox --port 8090 --load ./patients")(sandbox)
    app.command("serve", epilog="Example: CAREPLAN_SERVER__API_KEY=… careplan serve --host 0.0.0.0")(serve)


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0 takes a free one.")] = 8090,
    load: Annotated[
        Path | None, typer.Option(help="A folder of FHIR JSON (Bundles or resources) to load.", metavar="DIR")
    ] = None,
    database: Annotated[
        Path | None, typer.Option(help="Keep the data in this SQLite file (default: in memory).", metavar="FILE")
    ] = None,
    fhir: Annotated[Literal["R4", "R4B", "R5"], typer.Option(help="FHIR release.", case_sensitive=False)] = "R4",
    faults: Annotated[
        bool, typer.Option("--faults", help="Offer the control route for fault drills, on loopback.")
    ] = False,
    *,
    smart: Annotated[
        Path | None,
        typer.Option(
            help="Demand tokens of SMART Backend Services, for the keys in this JWK Set (`careplan keys jwks`).",
            metavar="JWKS_FILE",
        ),
    ] = None,
    software: Annotated[
        str | None,
        typer.Option(
            help="Its name in the CapabilityStatement; as Epic it demands of searches what Epic does.",
            metavar="NAME",
        ),
    ] = None,
    takes: Annotated[
        Literal["references", "detail", "document", "nothing"],
        typer.Option(help="What of a plan it takes: plays a weaker target, as many are (docs/ladder.md)."),
    ] = "references",
) -> None:
    """A small strict FHIR server to try things on. Synthetic data only: it is unguarded, on loopback."""
    from careplan_exchange.sandbox import run

    settings()
    run(
        port=port,
        load=load,
        database=database,
        release=fhir,
        control=faults,
        smart=smart,
        software=software,
        takes=takes,
    )


def serve(
    host: Annotated[str | None, typer.Option(help="Address to bind, over the settings.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port, over the settings; 0: a free one.")
    ] = None,
) -> None:
    """The HTTP service (OpenAPI at /openapi.json). Beyond loopback it needs an API key or an OIDC issuer."""
    from careplan_exchange import bootstrap, connections
    from careplan_exchange.api import ApiAuth, OidcIssuer, run

    from .context import with_services

    loaded = settings()
    server = loaded.server
    issuer = None
    if server.oidc_issuer is not None and server.oidc_audience is not None:
        issuer = OidcIssuer(str(server.oidc_issuer), server.oidc_audience, clock=bootstrap.SystemClock())
    auth = ApiAuth(api_key=connections.api_key(loaded), issuer=issuer)
    with_services(
        lambda services: run(
            services,
            auth=auth,
            host=host or server.host,
            port=server.port if port is None else port,
            published_keys=lambda: connections.published_keys(loaded),
            listening=lambda bound: typer.echo(f"Listening on port {bound}.", err=True),
        )
    )
