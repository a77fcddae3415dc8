"""The dry run of one patient."""

from fastapi import APIRouter, Response

from careplan_exchange.model.proposal import Proposal

from . import examples
from .deps import ExchangesDep, Reader, configured
from .openapi import documented, problem
from .schemas import EndpointQuery, PatientPath, TodayQuery, answer

router = APIRouter(prefix="/api/v1/patients", tags=["patients"])


@router.get(
    "/{patient_id}/proposal",
    summary="What would be planned, and why",
    responses={
        200: documented(Proposal, "The proposal; nothing is written anywhere.", examples.PROPOSAL),
        400: problem("The endpoint is not configured here.", examples.UNKNOWN_ENDPOINT),
        401: problem("No valid credentials.", examples.UNAUTHENTICATED),
        403: problem("The token lacks `careplan.read`.", examples.FORBIDDEN),
        404: problem("The endpoint holds no such patient.", examples.NO_PATIENT),
        409: problem(
            "The patient was merged, is deceased or inactive: a person must decide.", examples.NOT_ELIGIBLE
        ),
        422: problem("An argument is not as described.", examples.INVALID),
        500: problem("The installation, not the request, is at fault.", examples.INTERNAL),
        502: problem("The record could not be read whole, or the server refused.", examples.INCOMPLETE),
        503: problem("The endpoint is overloaded.", examples.OVERLOADED),
        504: problem("The endpoint cannot be reached.", examples.UNREACHABLE),
    },
)
async def read_proposal(
    patient_id: PatientPath,
    _: Reader,
    exchanges: ExchangesDep,
    endpoint: EndpointQuery = None,
    today: TodayQuery = None,
) -> Response:
    """Goals, activities, restrictions and what is withheld, each with its reason, the exact evidence, the
    citation and what was missing. A protocol that needs something nobody recorded says so in `gaps`."""
    return answer(await exchanges.proposal(configured(exchanges, endpoint), patient_id, today))
