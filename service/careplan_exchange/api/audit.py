"""The ledger, page by page."""

from urllib.parse import urlencode

from fastapi import APIRouter, Response

from . import examples
from .deps import Auditor, ExchangesDep
from .openapi import documented, problem
from .schemas import AfterQuery, AuditPage, ExchangeQuery, LimitQuery, answer

router = APIRouter(prefix="/api/v1/audit", tags=["audit"])


@router.get(
    "",
    summary="Entries of the append-only ledger",
    responses={
        200: documented(AuditPage, "Entries in order, and the address of the next page.", examples.AUDIT),
        401: problem("No valid credentials.", examples.UNAUTHENTICATED),
        403: problem("The token lacks `careplan.audit`.", examples.FORBIDDEN),
        422: problem("An argument is not as described.", examples.INVALID),
        500: problem("The installation, not the request, is at fault.", examples.INTERNAL),
        503: problem("The database cannot be used now.", examples.BUSY),
    },
)
async def read_audit(
    _: Auditor,
    exchanges: ExchangesDep,
    exchange: ExchangeQuery = None,
    after: AfterQuery = 0,
    limit: LimitQuery = 100,
) -> Response:
    """Every step of every exchange, each entry chained to the one before it by its hash.

    `careplan audit verify` walks the whole chain.
    """
    links = await exchanges.ledger.links(exchange=exchange, after=after, limit=limit + 1)
    page, more = links[:limit], len(links) > limit
    following = None
    if more:
        only = {} if exchange is None else {"exchange": exchange}
        following = f"{router.prefix}?{urlencode({**only, 'after': page[-1].seq, 'limit': limit})}"
    return answer(AuditPage(links=page, next=following))
