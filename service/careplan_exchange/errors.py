"""Every error that this product raises on purpose, as a tree; callers catch by its branches.

CareplanError
├── UsageError                        2
│   └── HypotheticalPlanError
├── ConfigurationError                2
│   ├── SettingsError
│   ├── KnowledgeError
│   └── StoreVersionError
├── RecordError                       3   the record could not be read whole
│   ├── PatientNotFoundError
│   ├── PatientMergedError
│   ├── PatientAmbiguousError
│   ├── IncompleteRecordError
│   ├── WrongPatientError
│   └── NotFhirError
├── RefusedError                      4   the server refused
│   ├── AuthenticationRefusedError
│   ├── VersionConflictError
│   ├── UnsupportedServerError
│   ├── InvalidResourceError
│   ├── DuplicateError
│   ├── UnsafeModificationError
│   ├── ForbiddenByPolicyError
│   ├── LossyTargetError
│   └── PartlyWrittenError
├── UnavailableError                  5   not reachable, or not now
│   ├── EndpointUnreachableError
│   ├── EndpointOverloadedError
│   ├── CircuitOpenError
│   ├── OutcomeUnknownError
│   └── StoreUnavailableError
└── DecisionNeededError               6   a person must decide
    ├── PatientNotEligibleError
    ├── PlanElsewhereError
    ├── StoreBehindError
    ├── OtherInstallationError
    └── UnsettledWriteError

No message holds a name, a birth date, an address, a telephone number, a business identifier, a measured
value, a token or a password. A resource is named by its type, and by its id only where a person must find it.
"""

from collections.abc import Sequence

from careplan_exchange.model.changes import Undone, WrittenResource
from careplan_exchange.model.issue import Finding, Issue


class CareplanError(Exception):
    """Something went wrong that this product knows by name."""

    exit_code = 1
    http_status = 500
    key = "error"
    title = "Something went wrong"
    status: int | None = None  # what a server answered, where that is what went wrong
    undone: tuple[Undone, ...] = ()  # what a write had done and took back before it raised this

    def __init__(self, detail: str, *, mend: str, issues: Sequence[Issue] = ()) -> None:
        """`detail` says what happened, `mend` what to do next, `issues` what a server or a step said of it."""
        super().__init__(detail)
        self.detail = detail
        self.mend = mend
        self.issues = tuple(issues)


class UsageError(CareplanError):
    """The command or request asks for something that cannot be."""

    exit_code = 2
    http_status = 400
    key = "usage"
    title = "The request cannot be carried out as given"


class HypotheticalPlanError(UsageError):
    """A plan that rests on assumptions was about to be written."""

    key = "usage.hypothetical-plan"
    title = "A hypothetical plan is not written"


class ConfigurationError(CareplanError):
    """The installation is not set up to do this."""

    exit_code = 2
    key = "configuration"
    title = "The configuration needs a change"


class SettingsError(ConfigurationError):
    """A setting is missing, misspelt, or has a value it cannot have."""

    key = "configuration.settings"


class KnowledgeError(ConfigurationError):
    """A mapping, profile or protocol does not hold together; `findings` say where."""

    key = "configuration.knowledge"
    title = "The knowledge folders have errors"

    def __init__(self, findings: Sequence[Finding]) -> None:
        first = findings[0]
        super().__init__(
            f"{len(findings)} finding(s), the first in {first.file}, line {first.line}: {first.message}",
            mend=f"{first.mend} Run `careplan knowledge check` for all findings.",
        )
        self.findings = tuple(findings)


class StoreVersionError(ConfigurationError):
    """The database's schema is of another version than this code."""

    key = "configuration.store-version"
    title = "The database does not fit this version"


class RecordError(CareplanError):
    """The patient's record could not be read whole, so nothing was planned."""

    exit_code = 3
    http_status = 422
    key = "record"
    title = "The record could not be read whole"


class PatientNotFoundError(RecordError):
    """The server holds no such patient."""

    http_status = 404
    key = "record.patient-not-found"
    title = "Unknown patient"


class PatientMergedError(RecordError):
    """The patient's record was replaced by another one."""

    http_status = 409
    key = "record.patient-merged"
    title = "The patient's record was merged into another"


class PatientAmbiguousError(RecordError):
    """More than one patient answers to the same identifier."""

    http_status = 409
    key = "record.patient-ambiguous"
    title = "More than one patient fits"


class IncompleteRecordError(RecordError):
    """A search, page or category of the record is missing, cut short, or expired."""

    http_status = 502
    key = "record.incomplete"


class WrongPatientError(RecordError):
    """The answer holds a resource of another patient."""

    http_status = 502
    key = "record.wrong-patient"
    title = "The answer holds another patient's data"


class NotFhirError(RecordError):
    """The answer is not FHIR: HTML, an empty body, broken JSON, or larger than any answer may be."""

    http_status = 502
    key = "record.not-fhir"
    title = "The answer is not FHIR"


class RefusedError(CareplanError):
    """The server understood the request and refused it."""

    exit_code = 4
    http_status = 502
    key = "refused"
    title = "The server refused"


class AuthenticationRefusedError(RefusedError):
    """The server does not accept the credentials, or they do not allow this."""

    key = "refused.authentication"
    title = "The server does not accept the credentials"


class VersionConflictError(RefusedError):
    """Somebody changed a resource since it was read; it must be read and merged again."""

    http_status = 409
    key = "refused.version-conflict"
    title = "The resource was changed in the meantime"


class UnsupportedServerError(RefusedError):
    """The server lacks something that this cannot be done without (a FHIR version, an interaction)."""

    key = "refused.unsupported"
    title = "The server does not support this"


class InvalidResourceError(RefusedError):
    """Our own check found that what would have been written is not valid FHIR; nothing was sent."""

    http_status = 500
    key = "refused.invalid"
    title = "What would have been written is not valid"


class DuplicateError(RefusedError):
    """The server holds more than one resource with one of our identifiers."""

    http_status = 409
    key = "refused.duplicate"
    title = "The server holds the same plan more than once"


class UnsafeModificationError(RefusedError):
    """What a person wants otherwise in a plan is what the safety gate would hold back; nothing was sent."""

    http_status = 422
    key = "refused.unsafe-modification"
    title = "The safety gate refuses the modification"


class ForbiddenByPolicyError(RefusedError):
    """The review policy of this site lets nobody do it; nothing was sent."""

    http_status = 403
    key = "refused.policy"
    title = "The review policy does not allow it"


class LossyTargetError(RefusedError):
    """The server took the write and stored something else where that could hurt: it is taken back."""

    key = "refused.lossy-target"
    title = "The server does not keep what it is sent"


class PartlyWrittenError(RefusedError):
    """A part of a write stands on the server: `written`. `cause` says why the rest does not; it is what a caller
    hears, once what stands is in the store."""

    key = "refused.partly-written"
    title = "Only a part was written"

    def __init__(self, cause: CareplanError, written: Sequence[WrittenResource]) -> None:
        super().__init__(cause.detail, mend=cause.mend, issues=cause.issues)
        self.cause = cause
        self.written = tuple(written)
        self.undone = cause.undone


class UnavailableError(CareplanError):
    """Something that is needed cannot be reached now; the same command may work later."""

    exit_code = 5
    http_status = 503
    key = "unavailable"
    title = "Not reachable"


class EndpointUnreachableError(UnavailableError):
    """No connection to the server: DNS, TCP, TLS or time ran out."""

    http_status = 504
    key = "unavailable.endpoint"
    title = "The server cannot be reached"


class EndpointOverloadedError(UnavailableError):
    """The server kept answering that it is busy."""

    key = "unavailable.overloaded"
    title = "The server is overloaded"


class CircuitOpenError(UnavailableError):
    """The server failed so often in a row that it is left alone for a while; nothing was sent."""

    key = "unavailable.circuit-open"
    title = "The server is left alone for a while"


class OutcomeUnknownError(UnavailableError):
    """A write was sent and no answer came: it may or may not have been carried out."""

    http_status = 504
    key = "unavailable.outcome-unknown"
    title = "It is not known whether the write was carried out"


class StoreUnavailableError(UnavailableError):
    """The database is locked, full, or not reachable."""

    key = "unavailable.store"
    title = "The database cannot be used now"


class DecisionNeededError(CareplanError):
    """A person must decide before anything is written."""

    exit_code = 6
    http_status = 409
    key = "decision"
    title = "A person must decide"


class PatientNotEligibleError(DecisionNeededError):
    """The patient is recorded as deceased, or the record as inactive: no plan is made without a person."""

    key = "decision.patient-not-eligible"


class PlanElsewhereError(DecisionNeededError):
    """The patient has a plan of ours under another identity of the same server."""

    key = "decision.plan-elsewhere"


class StoreBehindError(DecisionNeededError):
    """The server holds writes of ours that our database does not know: it was restored from an older backup."""

    key = "decision.store-behind"
    title = "The database is older than what stands on the server"


class OtherInstallationError(DecisionNeededError):
    """Another installation of this software has written to the plan."""

    key = "decision.other-installation"
    title = "Two installations write to one server"


class UnsettledWriteError(DecisionNeededError):
    """An earlier write left something on the server that cannot be told apart from a person's work."""

    key = "decision.unsettled-write"
