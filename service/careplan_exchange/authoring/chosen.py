"""One protocol among those of the folders, or out of files of its own."""

from collections.abc import Iterable, Sequence

from careplan_exchange.errors import UsageError
from careplan_exchange.knowledge import Document
from careplan_exchange.planner import Protocol
from careplan_exchange.spelling import did_you_mean


def chosen(protocols: Sequence[Protocol], name: str) -> Protocol:
    """The protocol of this id. Raises UsageError."""
    found = next((protocol for protocol in protocols if protocol.id == name), None)
    if found is None:
        ids = [protocol.id for protocol in protocols]
        raise UsageError(
            f"There is no protocol '{name}'.",
            mend=f"There are {', '.join(ids) or 'none'}.{did_you_mean(name, ids)} Your own need --overlay.",
        )
    return found


def definitions(documents: Iterable[Document], name: str) -> tuple[Document, ...]:
    """The files of the protocol's own folder, the plan first."""
    own = [document for document in documents if document.path.startswith(f"protocols/{name}/")]
    return tuple(sorted(own, key=lambda one: (one.content.get("resourceType") != "PlanDefinition", one.path)))
