"""On the page: what the patient wants first, what does not go together, what stands in the way, what it takes."""

from careplan_exchange.review.page import plan_page
from tests.support.plans import a_proposal
from tests.support.together import a_whole_proposal


def test_the_page_shows_everything_about_the_plan_as_a_whole():
    proposal = a_whole_proposal()
    page = plan_page(proposal)
    order = [
        "In the patient&#39;s own words</h2>",
        "Start with these</h2>",
        "Goals</h2>",
        "does not go together</h2>",
        "and circumstances</h2>",
        "What it takes</h2>",
    ]
    places = [page.find(heading) for heading in order]
    assert places == sorted(places), places
    assert places[0] > 0
    assert "&lt;b&gt;walk &amp; talk&lt;/b&gt;" in page
    assert "<b>walk" not in page
    assert f"<ol><li><strong>{proposal.activities[0].title}</strong>" in page
    assert "a person decides" in page
    assert "the site has chosen" in page
    assert "Su azúcar." in page
    assert "at least 4 visits a year" in page
    assert "stones/action/fluids" in page  # a line that is told nowhere else is shown by its key


def test_a_plain_plan_has_no_empty_headings():
    page = plan_page(a_proposal())
    for heading in ("own words", "Start with these", "does not go together", "and circumstances"):
        assert heading not in page
