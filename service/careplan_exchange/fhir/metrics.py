"""Counts and durations of FHIR requests for `/metrics`, in prometheus-client's default registry.

The endpoint is a hash; `type` is a resource type, `batch`, `transaction` or `metadata`; no label holds an id.
"""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter(
    "careplan_fhir_requests",
    "Requests sent to FHIR servers, retries included, by the class of the answer (2xx … 5xx, error).",
    ("endpoint", "method", "type", "status"),
)
RETRIES = Counter(
    "careplan_fhir_retries", "Requests that were sent again, by the reason why.", ("endpoint", "reason")
)
CIRCUIT = Gauge(
    "careplan_fhir_circuit",
    "The circuit breaker of a FHIR server: 0 closed, 1 half-open (one request tries it), 2 open (left alone).",
    ("endpoint",),
)
SECONDS = Histogram(
    "careplan_fhir_request_seconds",
    "Time from sending a request to the end of its answer.",
    ("endpoint", "method"),
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
