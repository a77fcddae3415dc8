"""Whole proposals, compared word by word: what is written to a record comes from nothing else."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from careplan_exchange import knowledge, planner
from careplan_exchange.model.codec import encode
from careplan_exchange.model.proposal import Proposal, ProtocolRef
from careplan_exchange.model.snapshot import Evidence
from careplan_exchange.planner.loading import compile_protocols
from tests.cases.snapshots import snapshot, vocabulary
from tests.cases.test_apply_cases import written_out
from tests.cases.test_clinical_cases import read_fact

CASES = knowledge.parse("whole.yaml", (Path(__file__).parent / "apply" / "whole.yaml").read_bytes()).content


def proposed(case: dict[str, Any]) -> Proposal:
    plans = [
        {"resourceType": "PlanDefinition", "status": "active", **written_out(plan)} for plan in case["plans"]
    ]
    files = [(f"protocols/{number}/plan.json", plan) for number, plan in enumerate(plans)]
    files += [
        (f"protocols/{number}.json", written_out(d)) for number, d in enumerate(case.get("definitions", []))
    ]
    protocols = compile_protocols([knowledge.parse(name, encode(content)) for name, content in files])
    facts = [read_fact(written) for written in case.get("facts", [])]
    return planner.plan(snapshot(*facts, **case.get("patient", {})), protocols, vocabulary(), planner.Policies())


def shown(value: Any) -> Any:
    """As plain values, without what is at its default."""
    if isinstance(value, msgspec.Struct):
        return _line(value)
    if isinstance(value, tuple | list):
        return [shown(item) for item in value]
    if isinstance(value, dict):
        return {name: shown(item) for name, item in value.items()}
    return value if value is None or isinstance(value, bool) else f"{value}"


def _line(value: msgspec.Struct) -> Any:
    if isinstance(value, Evidence):
        return f"{value.reference} {value.version_id} {value.date}"
    if isinstance(value, ProtocolRef):
        return f"{value.canonical} {value.title}"
    fields = [(field, getattr(value, field.name)) for field in msgspec.structs.fields(value)]
    return {field.encode_name: shown(held) for field, held in fields if held != _default(field)}


def _default(field: msgspec.structs.FieldInfo) -> Any:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_proposal_is_exactly_this_to_the_last_word(case):
    proposal = shown(proposed(case))
    expected = shown(case["proposal"])
    assert list(proposal) == list(expected)
    for name, part in expected.items():
        assert proposal[name] == part, name
