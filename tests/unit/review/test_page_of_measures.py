"""On the page: how far goals have come, what the equations say, both languages, and that anybody can read it."""

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from careplan_exchange.model.detected import DetectedIssue
from careplan_exchange.review import page as module
from careplan_exchange.review.page import plan_page
from tests.support.measured import a_measured_proposal
from tests.support.plans import a_proposal
from tests.support.together import a_whole_proposal

STYLE = (Path(module.__file__).parent / "templates" / "plan.css").read_text()
TEXT_ON = [(ink, ground) for ground in ("page", "card") for ink in ("ink", "soft", "link")] + [
    ("ask", "warn"),
    ("ink", "warn"),
    ("ink", "ban"),
    ("link", "ban"),
    ("ink", "mark"),
    ("soft", "mark"),
    ("soft", "ban"),
]


class Outline(HTMLParser):
    """Words as a reader sees them, heading levels in order, ids, and where links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.levels: list[int] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self._style = False
        self.feed(html)
        self.words = " ".join(self.words.split())

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self._style = tag == "style"
        if re.fullmatch(r"h\d", tag):
            self.levels.append(int(tag[1]))
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if "href" in given else []
        self.words += " " if tag in {"td", "th", "p"} else ""

    def handle_data(self, data):
        if not self._style:
            self.words += data


def shown(proposal) -> Outline:
    return Outline(plan_page(proposal))


def test_a_goal_shows_its_values_with_dates_its_status_and_when_it_is_measured_next():
    words = shown(a_measured_proposal()).words
    assert "HbA1c below 7 % not achieved" in words
    assert "HbA1c <NGSP>: improving. Next measurement due by 2026-04-02" in words
    assert "2025-07-01 8.8 % no 2026-01-02 8.1 % no" in words


def test_a_target_without_a_value_says_so():
    assert "Weight Date Value At the goal No value on record." in shown(a_measured_proposal()).words


def test_a_value_that_reaches_over_the_bound_is_not_called_reached():
    measured = a_measured_proposal()
    goal = measured.goals[0]
    trend = goal.progress[0]
    last = msgspec.structs.replace(trend.readings[-1], met=None)
    trend = msgspec.structs.replace(trend, readings=(last,))
    goal = msgspec.structs.replace(goal, progress=(trend,))
    assert "8.1 % not certain" in shown(msgspec.structs.replace(measured, goals=(goal,))).words


def test_an_equation_shows_value_band_inputs_source_and_limits():
    words = shown(a_measured_proposal()).words
    for said in (
        "FIB-4 index: 4.66 advanced fibrosis likely",
        "What it estimates: advanced fibrosis of the liver.",
        "ast: 81 U/L (2026-01-02) Observation/o1/_history/3 (2026-01-02)",
        "Equation: Equation <of> 2024",
        "Band: Bands of 2017",
        "Limits: A screening index, not a diagnosis.",
    ):
        assert said in words, said


def test_a_score_that_is_a_lower_bound_says_at_least_and_what_is_missing():
    words = shown(a_measured_proposal()).words
    assert "CHA2DS2-VASc score: at least 2 score" in words
    assert "stroke is not known" in words


def test_what_was_not_worked_out_is_counted_and_says_why():
    words = shown(a_measured_proposal()).words
    assert "Not worked out: 1" in words
    assert "the equation is not meant for coronary disease" in words


def test_every_source_is_listed_once_at_the_end_also_those_of_equations():
    words = shown(a_measured_proposal()).words
    _, _, listed = words.rpartition("Sources")
    assert listed.count("Guideline 2025 <3>") == 1
    assert "Equation <of> 2024" in listed


def test_the_patients_own_language_stands_open_and_the_other_one_click_away():
    page = plan_page(a_whole_proposal())
    own = page.index("Su azúcar.")
    english = page.index("Your sugar over three months")
    assert own < english
    assert '<p class="patient" lang="es">' in page
    assert '<details lang="en"><summary>For the patient, in English</summary>' in page


def test_without_a_language_of_the_patient_english_stands_open():
    page = plan_page(msgspec.structs.replace(a_whole_proposal(), language=None))
    assert '<p class="patient" lang="en">' in page
    assert '<details lang="es"><summary>Para el paciente, en español</summary>' in page


def test_each_card_says_in_a_line_why_it_is_there():
    words = shown(a_proposal()).words
    assert words.count("Why: HbA1c 8.1 % (2026-01-02) is above 7 %.") >= 3


def test_the_clinicians_text_and_the_dose_stand_beside_the_patients_text():
    plain = a_proposal()
    dosed = msgspec.structs.replace(plain.activities[0], dosage=({"text": "500 mg <once> a day"},))
    words = shown(msgspec.structs.replace(plain, activities=(dosed,))).words
    assert "For the clinician: Consider starting metformin." in words
    assert "Dose, as a range of the source: 500 mg <once> a day" in words
    assert "For the patient, in English: A tablet that lowers sugar" in words


def held_twice():
    plain = a_proposal()
    first = plain.withheld[0]
    second = msgspec.structs.replace(
        first,
        key="lipids/action/statin",
        protocol=msgspec.structs.replace(first.protocol, title="Lipids"),
    )
    issues = tuple(
        DetectedIssue(
            key=line.key,
            rule=line.key,
            hazard="pregnancy",
            severity="high",
            action="withheld",
            certain=False,
            title=line.title,
            detail=line.detail,
            mitigation="Ask first.",
            reasons=line.reasons,
            citations=line.citations,
        )
        for line in (first, second)
    )
    return msgspec.structs.replace(plain, withheld=(first, second), detected=issues)


def test_what_two_protocols_want_and_one_reason_holds_back_is_said_once_with_its_detected_issue():
    words = shown(held_twice()).words
    assert words.count("Held back while pregnancy is not known.") == 1
    assert words.count("DetectedIssue: pregnancy, severity high. Ask first.") == 1
    assert f"Wanted by: {a_proposal().withheld[0].protocol.title}; Lipids" in words


def test_what_is_held_back_for_two_reasons_stands_with_both():
    twice = held_twice()
    other = msgspec.structs.replace(twice.withheld[1], detail="Held back by an allergy.")
    words = shown(msgspec.structs.replace(twice, withheld=(twice.withheld[0], other))).words
    assert "Held back while pregnancy is not known." in words
    assert "Held back by an allergy." in words


def test_an_activity_that_stands_with_a_warning_carries_it():
    plain = a_proposal()
    warned = msgspec.structs.replace(
        held_twice().detected[0], action="warned", activities=(plain.activities[0].key,), detail="Bleeds."
    )
    assert "Caution (high): Bleeds. Ask first." in shown(msgspec.structs.replace(plain, detected=(warned,))).words


def test_a_question_that_must_be_answered_first_is_not_asked_twice():
    plain = a_proposal()
    gap = msgspec.structs.replace(plain.gaps[0], ask="Bled before?")
    other = msgspec.structs.replace(plain.gaps[0], ask="Pregnant?")
    asked = msgspec.structs.replace(plain.activities[0], questions=("Bled before?",), missing=(gap, other))
    words = shown(msgspec.structs.replace(plain, activities=(asked,), gaps=(), withheld=())).words
    assert words.count("Bled before?") == 1
    assert words.count("Not known: Pregnant?") == 1


def test_the_severest_hazard_stands_first():
    plain = a_proposal()
    mild, grave = (
        msgspec.structs.replace(held_twice().detected[0], action="reported", severity=severity, detail=severity)
        for severity in ("low", "high")
    )
    words = shown(msgspec.structs.replace(plain, detected=(mild, grave))).words
    assert words.index("taken now, high") < words.index("taken now, low")


@pytest.mark.parametrize("proposal", [a_proposal(), a_whole_proposal(), a_measured_proposal()])
def test_no_level_of_heading_is_left_out_and_every_entry_of_the_contents_leads_somewhere(proposal):
    outline = shown(proposal)
    assert outline.levels[0] == 1
    assert outline.levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(outline.levels, outline.levels[1:], strict=False))
    inside = [link[1:] for link in outline.links if link.startswith("#")]
    assert inside == outline.ids
    assert len(inside) == len(set(inside)) >= 5


def palettes() -> dict[str, dict[str, str]]:
    """The colours for light, dark and paper."""
    found = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    names = ("light", "dark", "paper")
    return {
        name: dict(re.findall(r"--(\w+): (#[0-9a-f]+)", block)) for name, block in zip(names, found, strict=True)
    }


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2 (https://www.w3.org/TR/WCAG22/#dfn-relative-luminance)."""
    digits = colour[1:] if len(colour) == 7 else "".join(each * 2 for each in colour[1:])
    parts = [int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("light", ["light", "dark", "paper"])
@pytest.mark.parametrize(("ink", "ground"), TEXT_ON)
def test_text_stands_out_from_its_ground_by_the_ratio_of_wcag_aa(light, ink, ground):
    colours = palettes()[light]
    lighter, darker = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5
