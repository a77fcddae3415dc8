"""`careplan demo` as a person runs it, and the page that it leaves, also as a browser sees it."""

import html
import re
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
from tests.support.product import careplan

SHOWN = "02-older-adult-si-units"
CHROMIUM = Path("/usr/bin/chromium")
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
            "CAREPLAN_POLICY__NEW_PLANS": "review",
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
    assert {path.name for path in demo.home.iterdir()} == {demo.page.parent.parent.name}


async def test_the_page_at_the_address_holds_every_goal_with_its_reason(demo: Demo) -> None:
    page = demo.page.read_text()
    bundle = synthetic(SHOWN)
    patient = bundle["entry"][0]["fullUrl"].removeprefix("urn:uuid:")
    source = BundleSource(encode(bundle), identity="-", name="-")
    _, proposal = await exchange.propose(source, knowledge(), patient, TODAY)
    assert proposal.goals
    for goal in proposal.goals:
        assert html.escape(goal.description) in page
        for reason in goal.reasons:
            assert html.unescape(page).count(reason.text) > 0
    for activity in proposal.activities:
        assert html.escape(activity.title) in page
    assert "Boreas" not in page, "the page names nobody"


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


def in_a_browser(page: Path, profile: Path) -> str:
    """The page's elements once a browser has loaded it."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not here: the page is not looked at in a browser")
    flags = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    )
    result = subprocess.run(
        [str(CHROMIUM), *flags, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()],
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
    assert {"Goals", "Activities", "What was written"} <= set(elements.texts["h2"])
    assert elements.names.count("h1") == 1
    assert not {"script", "iframe", "img", "link", "object", "form"} & set(elements.names)
    assert not [name for name in elements.attributes if name.startswith("on")]


def test_a_browser_takes_no_text_of_a_record_for_markup(tmp_path: Path) -> None:
    calm = a_proposal()
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
