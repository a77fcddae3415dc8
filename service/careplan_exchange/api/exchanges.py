"""Exchanges: ask for one, and see what became of it."""

import hashlib

from fastapi import APIRouter, Response

from careplan_exchange.errors import UsageError
from careplan_exchange.model.exchange import ExchangeRequest

from . import examples
from .auth import forbidden
from .deps import ExchangesDep, JsonBody, Reader, RunnerDep, Writer, configured
from .openapi import documented, problem
from .problems import ProblemError
from .schemas import Exchange, ExchangePath, IdempotencyKey, NewExchange, answer, exchange_of

router = APIRouter(prefix="/api/v1/exchanges", tags=["exchanges"])

ACCEPTED = documented(
    Exchange,
    "Stored and under way; `Location` is where its state is. A repeated key gives the exchange it gave before.",
    examples.ACCEPTED,
    headers={
        "Location": "Where the exchange's state is.",
        "Retry-After": "Seconds after which to look there.",
    },
)


@router.post(
    "",
    status_code=202,
    summary="Run the whole path for one patient",
    dependencies=[JsonBody],
    responses={
        202: ACCEPTED,
        400: problem("The endpoint is not configured here.", examples.UNKNOWN_ENDPOINT),
        401: problem("No valid credentials.", examples.UNAUTHENTICATED),
        403: problem(
            "The token lacks `careplan.write`, or `careplan.approve` for `approve`.", examples.FORBIDDEN
        ),
        413: problem("The body is larger than 1 MB.", examples.TOO_LARGE),
        415: problem("The body is not declared as JSON.", examples.NOT_JSON),
        422: problem("The body is not as described, or its key came with another body.", examples.OTHER_REQUEST),
        500: problem("The installation, not the request, is at fault.", examples.INTERNAL),
        503: problem("The database cannot be used, or too much is waiting.", examples.BUSY),
    },
    openapi_extra={"requestBody": {"content": {"application/json": {"examples": examples.NEW_EXCHANGES}}}},
)
async def create_exchange(
    body: NewExchange,
    caller: Writer,
    exchanges: ExchangesDep,
    runner: RunnerDep,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Pull, map, plan, compare, decide and write, in the background.

    The answer is the stored row; its receipt comes with its state `done`.
    """
    if body.approve and "careplan.approve" not in caller.scopes:
        raise forbidden("careplan.approve")
    request = ExchangeRequest(
        endpoint=configured(exchanges, body.endpoint),
        target=None if body.target is None else configured(exchanges, body.target),
        patient=body.patient,
        today=body.today,
        approve=body.approve,
        by=caller.name if body.approve else None,
    )
    try:
        row = await runner.submit(request, _stored_key(caller.name, idempotency_key))
    except UsageError as error:
        raise ProblemError(
            422, "idempotency.other-request", error.detail, title="The key is taken", mend=error.mend
        ) from None
    return answer(
        exchange_of(row), status=202, headers={"Location": f"{router.prefix}/{row.id}", "Retry-After": "1"}
    )


@router.get(
    "/{exchange_id}",
    summary="State and receipt of one exchange",
    responses={
        200: documented(
            Exchange, "The exchange as it stands; `receipt` when its state is `done`.", examples.DONE
        ),
        401: problem("No valid credentials.", examples.UNAUTHENTICATED),
        403: problem("The token lacks `careplan.read`.", examples.FORBIDDEN),
        404: problem("There is no such exchange.", examples.NO_EXCHANGE),
        422: problem("The id is not one of an exchange.", examples.INVALID),
        500: problem("The installation, not the request, is at fault.", examples.INTERNAL),
        503: problem("The database cannot be used now.", examples.BUSY),
    },
)
async def read_exchange(exchange_id: ExchangePath, _: Reader, exchanges: ExchangesDep) -> Response:
    """What was asked for, how far it is, and its receipt once it is done. A failed exchange is a receipt too."""
    row = await exchanges.plans.exchange(exchange_id)
    if row is None:
        raise ProblemError(
            404,
            "exchange.not-found",
            "There is no exchange with this id.",
            mend="Use the address that the answer to POST /api/v1/exchanges gave in `Location`.",
        )
    return answer(exchange_of(row), headers={} if row.state == "done" else {"Retry-After": "1"})


def _stored_key(caller: str, key: str | None) -> str | None:
    """Keys are each caller's own; only a hash is kept, for a client may have put anything into one."""
    return None if key is None else hashlib.sha256(f"{caller}\x1f{key}".encode()).hexdigest()
