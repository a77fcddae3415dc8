"""Where the next page may be. A page link is the server's word; the token goes only where the endpoint is."""

import re

import httpx

from careplan_exchange.errors import IncompleteRecordError

_PORTS = {"http": 80, "https": 443}
_HIDDEN = re.compile(r"%(?:2e|2f|5c|25)|\\|/\.\.?(?:/|$)", re.IGNORECASE)
"""Ways to leave a base path that a later reader of the URL may see and this one not."""


def next_page(base_url: str, current: str, link: str) -> str:
    """The absolute URL of the next page, which lies under `base_url`.

    `link` may be absolute, or relative: `?page=2` to the page it stands on (`current`), `Observation?page=2` to
    the base. Raises IncompleteRecordError for a link that leaves the endpoint's origin or base path.
    """
    if any(ord(character) <= 0x20 or ord(character) == 0x7F for character in link) or not link:
        raise _refused("is not a URL")
    try:
        url = _resolved(base_url, current, link)
        base = httpx.URL(base_url)
        same_origin = _origin(url) == _origin(base)
    except (httpx.InvalidURL, ValueError, UnicodeError):
        raise _refused("is not a URL") from None
    if not same_origin:
        raise _refused(
            f"points to another server than {origin_of(base_url)}, which is never asked",
            "If that is another name of the same server (http for https, a proxy's inner name), set the server's "
            "own base URL (HAPI: server_address), or give the endpoint by the name that it uses.",
        )
    path, base_path = _path(url), _path(base).rstrip("/")
    if url.userinfo or _HIDDEN.search(path) or not (path == base_path or path.startswith(f"{base_path}/")):
        raise _refused("leaves the FHIR base path")
    return str(url.copy_with(fragment=None))


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL: all of it that an error message may repeat."""
    parsed = httpx.URL(url)
    return f"{parsed.scheme}://{parsed.netloc.decode('ascii')}"


def _resolved(base_url: str, current: str, link: str) -> httpx.URL:
    relative = httpx.URL(link)
    if relative.is_absolute_url or link.startswith(("/", "?")):
        return httpx.URL(current).join(link)
    return httpx.URL(base_url + "/").join(link)


def _path(url: httpx.URL) -> str:
    return url.raw_path.decode("ascii").partition("?")[0]


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return (url.scheme, url.host, url.port or _PORTS.get(url.scheme))


def _refused(why: str, mend: str = "Report the link to those who run the server.") -> IncompleteRecordError:
    return IncompleteRecordError(f"The link to the next page {why}: the search cannot be read whole.", mend=mend)
