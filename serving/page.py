"""The page at / and at /lines/<name>/: drop the pictures of a part, see its verdict and heat."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "static"
FILES = {
    "/": ("index.html", "text/html"),
    "/lines/{line}/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}


def routes() -> list[Route]:
    """A route to each file of the page; they are read once, and hold nothing secret."""
    return [_route(path, name, kind) for path, (name, kind) in FILES.items()]


def _route(path: str, name: str, kind: str) -> Route:
    content = (FOLDER / name).read_bytes()

    async def file(_: Request) -> Response:
        return Response(content, media_type=kind)

    return Route(path, file)
