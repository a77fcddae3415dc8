"""The errors: every kind has its own key, an exit code and an HTTP status, and says what to do next."""

from collections.abc import Iterator

import pytest

from careplan_exchange import errors
from careplan_exchange.errors import CareplanError, KnowledgeError
from careplan_exchange.model.issue import Finding, Issue

BRANCHES = {
    errors.UsageError: 2,
    errors.ConfigurationError: 2,
    errors.RecordError: 3,
    errors.RefusedError: 4,
    errors.UnavailableError: 5,
    errors.DecisionNeededError: 6,
}
FINDING = Finding(file="protocols/a.yaml", line=7, message="It has no title.", mend="Give it one.")


def kinds(of: type[CareplanError] = CareplanError) -> Iterator[type[CareplanError]]:
    """Every kind that the module declares."""
    for kind in of.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield kind
            yield from kinds(kind)


KINDS = tuple(kinds())


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_the_exit_code_of_its_branch(kind: type[CareplanError]) -> None:
    (branch,) = (branch for branch in BRANCHES if issubclass(kind, branch))
    assert kind.exit_code == BRANCHES[branch]
    assert kind.key.startswith(branch.key)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_has_a_title_and_a_status_of_an_error(kind: type[CareplanError]) -> None:
    assert kind.title
    assert not kind.title.endswith(".")
    assert 400 <= kind.http_status < 600


def test_every_kind_has_a_key_of_its_own() -> None:
    assert len({kind.key for kind in KINDS}) == len(KINDS)


def test_the_tree_in_the_documentation_is_the_tree_of_the_code() -> None:
    assert errors.__doc__ is not None
    for kind in KINDS:
        assert f" {kind.__name__}" in errors.__doc__, f"{kind.__name__} is not in the module's tree"
    named = {word for word in errors.__doc__.split() if word.endswith("Error")}
    assert named == {kind.__name__ for kind in KINDS} | {"CareplanError"}


def test_an_error_carries_what_happened_what_to_do_and_what_was_said_of_it() -> None:
    issue = Issue(severity="error", code="exception", key="x", detail="Said.")
    error = errors.RefusedError("It was refused.", mend="Ask again.", issues=[issue])
    assert (str(error), error.detail, error.mend, error.issues) == (
        "It was refused.",
        "It was refused.",
        "Ask again.",
        (issue,),
    )


def test_an_error_without_a_mend_cannot_be_made() -> None:
    with pytest.raises(TypeError):
        errors.RefusedError("It was refused.")  # type: ignore[call-arg]


def test_an_error_of_knowledge_names_the_first_place_and_how_to_see_all() -> None:
    error = KnowledgeError([FINDING, FINDING])
    assert "2 finding(s)" in error.detail
    assert "protocols/a.yaml, line 7: It has no title." in error.detail
    assert error.mend.startswith("Give it one.")
    assert "careplan knowledge check" in error.mend
    assert error.findings == (FINDING, FINDING)
