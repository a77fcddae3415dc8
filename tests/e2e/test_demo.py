"""`careplan demo` as a person runs it, and the page that it leaves, also as a browser sees it."""

import html
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec
import pytest

from careplan_exchange import exchange
from careplan_exchange.model.codec import encode
from careplan_exchange.model.issue import Issue
from careplan_exchange.review.page import plan_page
from careplan_exchange.sources import BundleSource
from tests.support.hospital import TODAY, knowledge
from tests.support.patients import synthetic
from tests.support.plans import a_proposal
from tests.support.policies import overlay
from tests.support.product import careplan

SHOWN = "09-inherited-risks-and-liver-disease"
SHEETS = 30
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SHOUT = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"


class Demo(NamedTuple):
    home: Path
    code: int
    out: str
    err: str

    @property
    def page(self) -> Path:
        (address,) = re.findall(r"file:///\S*", self.out)
        return Path(unquote(urlsplit(address).path))

    @property
    def words(self) -> str:
        return " ".join(self.out.split())


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """One demo, in a home that knows nothing, on a narrow terminal, beside settings of a real installation."""
    home = tmp_path_factory.mktemp("home")
    deep = home / "a-temporary-folder-with-a-name-that-is-longer-than-a-line-of-a-narrow-terminal"
    deep.mkdir()
    result = careplan(
        home,
        "demo",
        env={
            "HOME": str(home),
            "TMPDIR": str(deep),
            "COLUMNS": "80",
            "CAREPLAN_STORE__URL": f"sqlite:///{home / 'real.db'}",
            "CAREPLAN_KNOWLEDGE__OVERLAY": str(overlay(tmp_path_factory.mktemp("real"))),
        },
        timeout=300,
    )
    return Demo(home, result.returncode, result.stdout, result.stderr)


def test_the_demo_comes_to_what_it_claims(demo: Demo) -> None:
    assert demo.code == 0, demo.out + demo.err
    assert demo.err == ""
    assert "A second sync of each: unchanged." in demo.words
    assert re.search(r"Synced again: \w+, and every edit is still there\.", demo.words)
    assert re.search(
        r"A sync is killed .* Run again: \w+\. One plan, [1-9]\d* goals, none of them twice\.", demo.words
    )
    assert re.search(r"The ledger holds\. [1-9]\d* entries", demo.words)


def test_the_demo_syncs_at_least_six_patients(demo: Demo) -> None:
    table = re.findall(r"^│ (\d\d)-\S+ +│ (\w+) ", demo.out, re.MULTILINE)
    assert len(table) >= 6
    assert {outcome for _, outcome in table} <= {"written", "unchanged"}


def test_the_demo_leaves_a_ledger_that_anybody_can_verify(demo: Demo) -> None:
    store = f"sqlite:///{demo.page.parent / 'careplan.db'}"
    verified = careplan(demo.home, "--store", store, "audit", "verify")
    assert verified.returncode == 0, verified.stdout
    entries = re.search(r"The ledger holds\. (\d+) entries", demo.words)
    assert entries is not None
    assert f"{entries[1]} entries" in verified.stdout


def test_the_demo_keeps_away_from_a_real_installation(demo: Demo) -> None:
    assert not (demo.home / "real.db").exists()
    kept = {path.name for path in demo.home.iterdir()} - {demo.page.parent.parent.name}
    assert kept <= {".cache"}, "compiled knowledge, which is no setting and no patient's data, may be kept"


async def test_the_page_at_the_address_holds_every_goal_with_its_reason(demo: Demo) -> None:
    page = html.unescape(demo.page.read_text())
    bundle = synthetic(SHOWN)
    patient = bundle["entry"][0]["fullUrl"].removeprefix("urn:uuid:")
    source = BundleSource(encode(bundle), identity="-", name="-")
    _, proposal = await exchange.propose(source, knowledge(), patient, TODAY)
    assert proposal.goals
    for goal in proposal.goals:
        assert goal.description in page
        for reason in goal.reasons:
            assert reason.text in page
    for activity in proposal.activities:
        assert activity.title in page
    assert "Hestia" not in page, "the page names nobody"


def test_the_terminal_shows_the_plan_in_short_with_its_reasons(demo: Demo) -> None:
    _, _, short = demo.words.partition("One patient's plan in short")
    for said in (
        "Breast MRI with contrast, yearly. Pathogenic BRCA1, BRCA2 or PALB2 variant, germline is present (2026-09-14).",
        "Start of low-dose aspirin. 75 to 100 mg by mouth once a day (AHA/ACC 2023). Coronary disease is present",
        "Enough protein and a late snack. Chronic liver disease or viral hepatitis, recorded is present",
        "Ezetimibe is not recommended in moderate or severe liver disease: cirrhosis of the liver is present",
        "An NSAID in cirrhosis: kidney failure and bleeding.",
        "Avoid • Alcohol, in any amount. Pathogenic BRCA1, BRCA2 or PALB2 variant, germline is present",
        "(2026-09-14). Chronic liver disease or viral hepatitis, recorded is present (2025-02-05)",
        "238 mg/dL (2025-11-04), 196 mg/dL (2026-03-10), 164 mg/dL (2026-10-05): improving",
        "FIB-4 index: 4.66. Advanced fibrosis likely",
    ):
        assert said in short, said


def test_the_page_shows_therapy_medication_diet_and_the_restriction_of_alcohol_each_with_its_reason(
    demo: Demo,
) -> None:
    cards = _cards(demo.page.read_text())
    for title, whole in (
        (
            "Breast MRI with contrast, yearly",
            "Why: Pathogenic BRCA1, BRCA2 or PALB2 variant, germline is present",
        ),
        (
            "Referral to a lipid clinic: familial hypercholesterolaemia",
            "on record (LDLR, APOB or PCSK9) is present",
        ),
        ("Tests of relatives for the family's variant", "pathogenic LDLR variant, germline"),
        ("Ultrasound of the liver and AFP, every 6 months", "Why: Chronic liver disease"),
        ("Start of low-dose aspirin", "Caution (moderate): Alcohol with an NSAID or aspirin"),
        ("Ezetimibe to be added", "DetectedIssue: drug disease, severity moderate"),
        ("Enough protein and a late snack", "Why: Chronic liver disease"),
        ("Alcohol, in any amount", "cirrhosis of the liver is present (2025-02-05)"),
        ("I want to be well when my daughter finishes school in two years", "Said by: patient"),
    ):
        found = [card for card in cards if card.startswith(title)]
        assert found, title
        assert any(whole in card for card in found), (title, found)


def _cards(page: str) -> list[str]:
    """What each card of the page says, its title first."""
    cards = re.findall(r'<article class="card[^"]*">(.*?)</article>', page, re.DOTALL)
    return [" ".join(html.unescape(re.sub(r"<[^>]*>", " ", card)).split()) for card in cards]


class _Elements(HTMLParser):
    """The elements of a page, by name, and what stands in them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        if self.names:
            self.texts.setdefault(self.names[-1], []).append(data.strip())


def in_a_browser(page: Path, profile: Path, *options: str) -> str:
    """The page's elements once a browser has loaded it, or what the options ask for instead."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not here: the page is not looked at in a browser")
    flags = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    )
    result = subprocess.run(
        [CHROMIUM, *flags, f"--user-data-dir={profile}", *(options or ("--dump-dom",)), page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return result.stdout


def test_a_browser_shows_the_page_with_its_headings_and_no_script(demo: Demo, tmp_path: Path) -> None:
    elements = _Elements(in_a_browser(demo.page, tmp_path / "profile"))
    assert any(text.startswith("Plan of care") for text in elements.texts["h1"])
    assert {
        "In the patient's own words",
        "Start with these",
        "Goals",
        "Avoid",
        "Activities",
        "Withheld for safety",
        "Hazards found",
        "Risk, by published equations",
        "What it takes",
        "What the record does not say",
        "Sources",
        "What was written",
    } <= set(elements.texts["h2"])
    assert elements.names.count("h1") == 1
    assert not {"script", "iframe", "img", "link", "object", "form"} & set(elements.names)
    assert not [name for name in elements.attributes if name.startswith("on")]


def test_a_browser_prints_the_page_on_a_number_of_sheets_that_somebody_reads(demo: Demo, tmp_path: Path) -> None:
    """What is folded away stays so on paper: each line has its reason in a sentence, and the sources have a list."""
    paper = tmp_path / "plan.pdf"
    in_a_browser(demo.page, tmp_path / "profile", f"--print-to-pdf={paper}", "--no-pdf-header-footer")
    assert 1 < len(re.findall(rb"/Type */Page\b", paper.read_bytes())) <= SHEETS


def test_a_browser_takes_no_text_of_a_record_for_markup(tmp_path: Path) -> None:
    quiet = Issue(
        severity="warning", code="value", key="x", detail="A unit is not known.", source="Observation/1"
    )
    calm = msgspec.structs.replace(a_proposal(), issues=(quiet,))
    loud = msgspec.structs.replace(
        calm,
        goals=tuple(msgspec.structs.replace(goal, description=SHOUT, patient_text=SHOUT) for goal in calm.goals),
        activities=tuple(
            msgspec.structs.replace(one, title=SHOUT, questions=(SHOUT,)) for one in calm.activities
        ),
        issues=(Issue(severity="warning", code="value", key="x", detail=SHOUT, source=SHOUT),),
    )
    pages = {}
    for name, proposal in (("calm", calm), ("loud", loud)):
        page = tmp_path / f"{name}.html"
        page.write_text(plan_page(proposal))
        pages[name] = in_a_browser(page, tmp_path / "profile")
    assert pages["loud"].count("&lt;script&gt;") >= 5
    assert "<title>owned" not in pages["loud"]
    elements = _Elements(pages["loud"])
    assert not {"script", "img"} & set(elements.names)
    assert "onerror" not in elements.attributes
    assert elements.attributes == _Elements(pages["calm"]).attributes
