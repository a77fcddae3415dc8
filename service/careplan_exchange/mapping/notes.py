"""The issues of one run: what was not used, and why. What is true of many resources becomes one issue."""

import re
from collections.abc import Iterator

from careplan_exchange.model.issue import Issue, Severity
from careplan_exchange.model.record import Resource

_Same = tuple[Severity, str, str, str, str | None, str | None]

_CODE = re.compile(r"[A-Za-z0-9._:/+-]{1,80}")
_UNIT = re.compile(r"[\w%/\[\]{}().^*'\"+\- µ²³°]{1,24}")


class Notes:
    """Collects issues; `note` is called from every reader."""

    def __init__(self) -> None:
        self._found: dict[_Same, dict[str, None]] = {}

    def note(
        self,
        resource: Resource,
        key: str,
        detail: str,
        *,
        severity: Severity = "warning",
        code: str = "not-supported",
        expression: str | None = None,
        mend: str | None = None,
    ) -> None:
        """One issue about one resource. `detail` holds no value that was measured and no text of the patient's,
        so that equal details can be told once with all their sources."""
        same = (severity, code, "mapping." + key, detail, expression, mend)
        self._found.setdefault(same, {})[resource.versioned_reference] = None

    def issues(self) -> Iterator[Issue]:
        """Every issue, in an order that does not depend on the order of the record."""
        for same in sorted(self._found, key=lambda same: (same[2], same[3], same[4] or "", same[0])):
            severity, code, key, detail, expression, mend = same
            sources = tuple(sorted(self._found[same]))
            yield Issue(
                severity=severity,
                code=code,
                key=key,
                detail=detail if len(sources) == 1 else f"{detail} ({len(sources)} resources)",
                source=sources[0],
                expression=expression,
                mend=mend,
                sources=sources if len(sources) > 1 else (),
            )


def a(resource_type: str) -> str:
    """The resource type at the head of a sentence, with its article."""
    return f"An {resource_type}" if resource_type[:1] in "AEIO" else f"A {resource_type}"


def safe_code(text: str | None) -> str | None:
    """The code or code system, or None where it does not look like one: then it may be anything."""
    return text if text and _CODE.fullmatch(text) else None


def safe_unit(text: str) -> str | None:
    """The unit, or None where it does not look like one."""
    return text if _UNIT.fullmatch(text) else None


def shown_code(system: str | None, code: str | None) -> str:
    """A coding for a person's screen. What does not look like a code is not shown: it may be anything."""
    shown = safe_code(code) or "(a code that is not shown)"
    return f"{system}|{shown}" if safe_code(system) else shown


def shown_unit(unit: str) -> str:
    """A unit for a person's screen, or a stand-in where it does not look like one."""
    return f"'{unit}'" if safe_unit(unit) else "(a unit that is not shown)"
