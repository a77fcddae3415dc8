"""On the terminal: what the patient wants first, what does not go together, what stands in the way, what it takes."""

from careplan_exchange.cli import proposals, show
from tests.support.plans import a_proposal
from tests.support.together import HOSTILE, a_whole_proposal


def shown(proposal):
    with show.out.capture() as captured:
        proposals.print_proposal(proposal)
    return " ".join(captured.get().replace("│", " ").split())


def test_everything_about_the_plan_as_a_whole_is_shown(monkeypatch):
    monkeypatch.setattr(show.out, "width", 200, raising=False)
    words = shown(a_whole_proposal())
    order = ["In the patient's own words", "Goals", "What does not go together", "Preferences and circumstances"]
    places = [words.find(heading) for heading in order]
    assert places == sorted(places)
    assert places[0] >= 0
    assert HOSTILE in words
    assert "a person must" in words
    assert "the site" in words
    assert "Start with these: 1." in words
    assert "at least 4 visits a year" in words


def test_a_plain_plan_shows_none_of_it():
    words = shown(a_proposal())
    for heading in ("own words", "Start with these", "does not go together", "Preferences and circumstances"):
        assert heading not in words
