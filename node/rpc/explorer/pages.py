"""Answer for the page: which bytes, with which head; pure but for the answer that it makes.

    GET /                        leads to /explorer/
    GET /explorer/               the page, asked for anew each time
    GET /explorer/{tree}/{path}  what it refers to, kept by browsers for ever

Guards: the browser fetches from this node alone, runs only the scripts of the tree, shows the page
in no frame, and guesses no media type.
"""

from collections.abc import Mapping
from typing import Final

from aiohttp import hdrs, web

from node.rpc.errors import MethodRefusedError, NotFoundError
from node.rpc.explorer.folder import Folder, Page

HOME: Final = "/explorer/"
METHODS: Final = ("GET", "HEAD")
POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEAD: Final[Mapping[str, str]] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
ASK_ANEW: Final = "no-cache"
KEEP: Final = "public, max-age=31536000, immutable"
_LEADS_HOME: Final = ("/", "/explorer")


class Pages:
    """Serves one folder."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._place = f"{HOME}{folder.tree}/"

    def answer(self, request: web.BaseRequest) -> web.Response | None:
        """Return the answer to a request for the page or its files; None: it is for another.

        Raises:
            NotFoundError: it asks for a file that is not there.
            MethodRefusedError: it asks for more than to read.
        """
        path = request.rel_url.raw_path
        if path not in _LEADS_HOME and not path.startswith(HOME):
            return None
        if request.method not in METHODS:
            allowed = ", ".join(METHODS)
            raise MethodRefusedError(f"pages take {allowed}, not that", allowed=allowed)
        if path in _LEADS_HOME:
            return web.Response(status=302, headers={**HEAD, hdrs.LOCATION: HOME})
        if path == HOME:
            return _sent(self._folder.index, request, keeping=ASK_ANEW)
        return _sent(self._file(path), request, keeping=KEEP)

    def _file(self, path: str) -> Page:
        # The raw path is compared, so that no way of writing it leads anywhere but to a known name.
        known = path.startswith(self._place)
        page = self._folder.files.get(path.removeprefix(self._place)) if known else None
        if page is None:
            raise NotFoundError(f"the page has no such file; it begins at {HOME}")
        return page


def _sent(page: Page, request: web.BaseRequest, *, keeping: str) -> web.Response:
    packed = page.packed if _takes_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, "")) else None
    etag = f'"{page.etag}"' if packed is None else f'"{page.etag}-gzip"'
    headers = {
        **HEAD,
        hdrs.CACHE_CONTROL: keeping,
        hdrs.ETAG: etag,
        hdrs.VARY: hdrs.ACCEPT_ENCODING,
    }
    if _has(request.headers.getall(hdrs.IF_NONE_MATCH, []), etag):
        return web.Response(status=304, headers=headers)
    headers[hdrs.CONTENT_TYPE] = page.kind
    if packed is None:
        return web.Response(body=page.plain, headers=headers)
    return web.Response(body=packed, headers={**headers, hdrs.CONTENT_ENCODING: "gzip"})


def _takes_gzip(accepted: str) -> bool:
    """Tell whether a client takes gzip; "gzip;q=0" says that it does not."""
    for one in accepted.lower().split(","):
        name, _, weight = one.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _has(lists: list[str], etag: str) -> bool:
    """Tell whether a client has the bytes already; a weak name is as good for reading."""
    known = [one.strip().removeprefix("W/") for each in lists for one in each.split(",")]
    return etag in known or "*" in known
