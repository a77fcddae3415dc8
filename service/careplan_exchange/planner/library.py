"""What a `definitionCanonical` points at: by url, by `url|version`, or by `#id` inside the plan."""

from collections.abc import Iterable
from typing import Any

import msgspec

from careplan_exchange.knowledge import Document


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A definition and the file that holds it."""

    resource: dict[str, Any]
    document: Document


class Library:
    """All definitions of a set of documents."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._by_url: dict[str, list[Entry]] = {}
        for document in documents:
            content = document.content
            if isinstance(content, dict) and content.get("url"):
                self._by_url.setdefault(content["url"], []).append(Entry(resource=content, document=document))

    def find(self, canonical: str, within: Entry) -> Entry | None:
        """The definition, the newest version of it where none is named, or None where there is none."""
        if canonical.startswith("#"):
            contained = within.resource.get("contained", [])
            found = next((resource for resource in contained if resource.get("id") == canonical[1:]), None)
            return None if found is None else Entry(resource=found, document=within.document)
        url, _, version = canonical.partition("|")
        entries = self._by_url.get(url, [])
        if version:
            return next((entry for entry in entries if entry.resource.get("version") == version), None)
        return max(entries, key=lambda entry: _order(entry.resource.get("version", "")), default=None)

    def canonicals(self) -> tuple[str, ...]:
        """Every `url|version` there is."""
        return tuple(
            f"{url}|{entry.resource.get('version')}" for url, entries in self._by_url.items() for entry in entries
        )


def _order(version: str) -> tuple[tuple[int, str], ...]:
    """`1.10.0` after `1.9.0`."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in version.split("."))
