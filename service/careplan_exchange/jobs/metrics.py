"""What the runner counts, in the default registry. No label names a patient, an endpoint or an exchange."""

from prometheus_client import Counter, Gauge, Histogram

EXCHANGES = Counter("careplan_exchanges", "Exchanges carried out, by outcome.", ["outcome"])
EXCHANGE_SECONDS = Histogram(
    "careplan_exchange_seconds",
    "Duration of an exchange in seconds, without its time of waiting.",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)
WAITING = Gauge("careplan_exchanges_waiting", "Exchanges accepted that have not begun.")
RUNNING = Gauge("careplan_exchanges_running", "Exchanges under way.")
