"""What stands before the lab's server: only the lab's own page may ask, little at a time, and only who has the token may change things.

A page on another site can make a browser send requests to this machine.  They are told by their Host (a name that was made to lead here)
and by their Origin, and refused.  What changes something needs the token, which stands in the address that the lab prints and is
never in a page of another site.
"""

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY, SECONDS = 256 * 1024, 10.0    # bytes of a request's body, and how long it may take to arrive
HEADERS, LONGEST = 60, 8192         # headers of a request, and bytes of each
TOKEN = b"x-sparring-token"
ALWAYS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
                               "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
}


class Refused(Exception):
    """A request that is not answered: the status, and why in a sentence."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


def hosts_of(host: str, port: int) -> set[str]:
    """What the Host of a request may be: this machine by its own names, and the name it was asked to listen on."""
    names = {"127.0.0.1", "localhost", "[::1]"} if host in ("127.0.0.1", "localhost", "::1") else {host, "127.0.0.1", "localhost"}
    return {f"{name}:{port}" for name in names} | (names if port == 80 else set())


class Guard:
    """An ASGI application that lets through what may pass, and adds the headers that every answer has."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str], token: str) -> None:
        self.app, self.hosts, self.token = app, frozenset(hosts), token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":                             # no WebSocket is spoken here
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                named = {name for name, _ in message["headers"]}
                more = {"Cache-Control": "no-store"} | ALWAYS
                message["headers"] = [*message["headers"], *((name.lower().encode(), value.encode()) for name, value in more.items()
                                                            if name.lower().encode() not in named)]
            await send(message)

        try:
            self.check(scope)
            receive = await whole(scope, receive)
        except Refused as why:
            await JSONResponse({"error": str(why)}, why.status)(scope, receive, sending)
            return
        with suppress(asyncio.CancelledError):                  # pages that wait for a frame while the lab ends
            await self.app(scope, receive, sending)

    def check(self, scope: Mapping[str, Any]) -> None:
        """Refused unless the request came from this lab's page, or from a person's address bar, and may do what it asks for."""
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if len(headers) > HEADERS or any(len(name) + len(value) > LONGEST for name, value in headers):
            raise Refused(431, "the request has too many headers, or too long ones.")
        for single in (b"host", b"origin", b"content-length", b"content-type", TOKEN):
            if sum(name == single for name, _ in headers) > 1:
                raise Refused(400, f"the request has more than one header {single.decode()}.")
        found = dict(headers)
        host = found.get(b"host", b"").decode("latin-1").lower()
        if host not in self.hosts:
            raise Refused(421, "this address is not the lab's. Use the one that `sparring lab` printed.")
        origin = found.get(b"origin", b"").decode("latin-1").lower()
        if origin and origin != f"http://{host}":
            raise Refused(403, "requests from pages of other sites are refused.")
        if found.get(b"sec-fetch-site", b"none") not in (b"same-origin", b"none"):
            raise Refused(403, "requests from pages of other sites are refused.")
        if scope["method"] in ("GET", "HEAD"):
            return
        if scope["method"] != "POST":
            raise Refused(405, "the lab is asked by GET and POST alone.")
        if not hmac.compare_digest(found.get(TOKEN, b""), self.token):
            raise Refused(403, "to change something, open the address that `sparring lab` printed: it ends in a token.")
        if found.get(b"content-type", b"").split(b";")[0].strip() != b"application/json":
            raise Refused(415, "the body of a request has to be application/json.")


async def whole(scope: Mapping[str, Any], receive: Receive) -> Callable[[], Awaitable[Message]]:
    """The body read at once, within bounds; Refused when it is too large, too slow, or of unknown length."""
    headers = dict(scope["headers"])
    if b"transfer-encoding" in headers:
        raise Refused(411, "the body of a request has to have a known length.")
    text = headers.get(b"content-length", b"0")
    if not text.isdigit() or int(text) > BODY:
        raise Refused(413, f"the body of a request may have {BODY:,} bytes.")
    body = b""

    async def read() -> bytes:
        gathered = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refused(400, "the request ended early.")
            gathered += message.get("body", b"")
            if len(gathered) > BODY:
                raise Refused(413, f"the body of a request may have {BODY:,} bytes.")
            if not message.get("more_body"):
                return gathered

    if int(text):
        try:
            body = await asyncio.wait_for(read(), SECONDS)
        except TimeoutError:
            raise Refused(408, f"the body of the request did not arrive in {SECONDS:g} seconds.") from None
    given = [False]

    async def again() -> Message:
        if not given[0]:
            given[0] = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again
