"""Looking after the knowledge folders: what is wrong with them, and what they say."""

from datetime import date
from typing import NamedTuple

from careplan_exchange import bootstrap, config, guide, installed, knowledge
from careplan_exchange.errors import KnowledgeError
from careplan_exchange.mapping import lint as lint_mappings
from careplan_exchange.mapping import read_profiles
from careplan_exchange.model.issue import Finding
from careplan_exchange.planner import lint as lint_protocols
from careplan_exchange.planner import lint_activities, lint_policies, review_content
from careplan_exchange.planner import review as review_protocols
from careplan_exchange.review import lint_policy
from careplan_exchange.sources import NEEDED, lint_plans


class Linted(NamedTuple):
    files: int
    findings: tuple[Finding, ...]


def lint_knowledge(settings: config.Settings, today: date) -> Linted:
    """Every finding in the knowledge folders, and how many files there are. What profiles/ gets wrong comes
    first: the rest may follow from it. Where a file cannot even be parsed, that is all that is told."""
    found: dict[str, tuple[knowledge.Document, ...]] = {}
    unparsed: list[Finding] = []
    for folder in knowledge.FOLDERS:
        try:
            found[folder] = installed.documents(settings, folder)
        except KnowledgeError as error:
            unparsed += error.findings
    if unparsed:
        return Linted(files=0, findings=tuple(unparsed))
    vocabulary, unsound = read_profiles(found["profiles"])
    findings = (
        *lint_mappings(found["mappings"], found["profiles"]),
        *lint_plans(found["mappings/vendors"]),
        *lint_protocols(found["protocols"], vocabulary, sound=not unsound),
        *lint_activities(found["protocols"], found["protocols/safety"], vocabulary),
        *review_protocols(found["protocols"], vocabulary, today=today),
        *review_content(found["protocols"]),
        *lint_policies(found, vocabulary),
        *lint_policy(found["protocols/review"], found["protocols"]),
    )
    return Linted(files=sum(len(files) for files in found.values()), findings=tuple(dict.fromkeys(findings)))


def describe_knowledge(settings: config.Settings) -> guide.Material:
    """What the guide is made of. Raises KnowledgeError."""
    known = installed.load_knowledge(settings)
    plan = installed.load_query_plans(settings).choose(None, None)
    return guide.gather(
        installed.documents(settings, "profiles"),
        installed.documents(settings, "mappings"),
        known.vocabulary,
        known.protocols,
        needs=[
            guide.Need(kind.type, (kind.parameter,), kind.type in NEEDED)
            for kind in plan.types
            if "R4" in kind.releases
        ],
        version=bootstrap.VERSION,
    )
