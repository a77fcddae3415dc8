import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from careplan_exchange.errors import IncompleteRecordError
from careplan_exchange.fhir.link import next_page, origin_of

BASE = "https://fhir.example.org/r4"
CURRENT = f"{BASE}/Goal?patient=Patient/1"


@pytest.mark.parametrize(
    ("link", "resolved"),
    [
        (f"{BASE}?_getpages=a&_getpagesoffset=2", f"{BASE}?_getpages=a&_getpagesoffset=2"),
        ("https://FHIR.example.org:443/r4/Goal?page=2", f"{BASE}/Goal?page=2"),
        ("?page=2", f"{BASE}/Goal?page=2"),
        ("Goal?page=2", f"{BASE}/Goal?page=2"),
        ("/r4/Goal?page=2", f"{BASE}/Goal?page=2"),
        (f"{BASE}/Goal?page=2&next=%2E%2E%2Fx#there", f"{BASE}/Goal?page=2&next=%2E%2E%2Fx"),
    ],
)
def test_a_page_below_the_base_is_followed_in_every_way_to_write_it(link, resolved):
    assert next_page(BASE, CURRENT, link) == resolved


@pytest.mark.parametrize(
    "link",
    [
        "",
        "http://fhir.example.org/r4/Goal?page=2",
        "https://fhir.example.org:8443/r4/Goal?page=2",
        "https://evil.example.org/r4/Goal?page=2",
        "https://fhir.example.org.evil.org/r4/Goal",
        "https://fhir.example.org@evil.org/r4/Goal",
        "https://user:word@fhir.example.org/r4/Goal",
        "//evil.example.org/r4/Goal",
        "https://fhir.example.org/r4x/Goal",
        "https://fhir.example.org/other-tenant/Goal",
        "https://fhir.example.org/r4/../other-tenant/Goal",
        "https://fhir.example.org/r4/%2e%2e/other-tenant/Goal",
        "https://fhir.example.org/r4/..%2fother-tenant/Goal",
        "https://fhir.example.org/r4/%252e%252e/other-tenant/Goal",
        "https://fhir.example.org/r4\\..\\other-tenant",
        "../other-tenant/Goal",
        "/Goal?page=2",
        "Goal?page=2\nHost: evil",
        "javascript:alert(1)",
        "http://[",
        "http://xn--/r4",
        "https://fhir.example.org:port/r4/Goal",
        "https://fhir.example.org:99999/r4/Goal",
    ],
)
def test_a_link_that_leaves_the_endpoint_is_refused_with_a_mend(link):
    with pytest.raises(IncompleteRecordError) as caught:
        next_page(BASE, CURRENT, link)
    assert caught.value.mend
    assert "evil" not in caught.value.detail


PIECES = st.sampled_from(
    ["https:", "http:", "//", "/", "fhir.example.org", "evil.org", "@", ":", "443", "80", "r4", "..", ".", "%2e",
     "%2f", "\\", "?", "#", "Goal", "page=2", "%", " ", "\t", "é", "x"]
)  # fmt: skip


@given(st.text(max_size=80) | st.lists(PIECES, max_size=12).map("".join))
def test_whatever_a_server_writes_the_token_stays_with_the_endpoint(link):
    try:
        followed = httpx.URL(next_page(BASE, CURRENT, link))
    except IncompleteRecordError:
        return
    assert (followed.scheme, followed.host, followed.port, followed.userinfo) == (
        "https",
        "fhir.example.org",
        None,
        b"",
    )
    path = followed.raw_path.decode().partition("?")[0]
    assert path == "/r4" or path.startswith("/r4/")
    assert ".." not in followed.path.split("/")


def test_an_endpoint_at_the_root_of_a_server_has_pages_too():
    assert next_page("http://localhost:8080", "http://localhost:8080/Goal", "/Goal?page=2").endswith(
        "/Goal?page=2"
    )


def test_an_origin_has_no_path_and_no_credentials():
    assert origin_of("http://localhost:8080/fhir/tenant?x=1") == "http://localhost:8080"
