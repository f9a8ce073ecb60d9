"""The least that can serve a bundle: Starlette with its form parser, and ONNX Runtime.

No limits, no log: what the service costs is measured against it.
"""

import os
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from inspection.runtime.inspector import Inspector
from inspection.runtime.views import View

# As many as the service has.
N_THREADS = 2


def create_app() -> Starlette:
    """For `uvicorn --factory`; BARE_BUNDLE names the bundle."""
    inspector = Inspector(Path(os.environ["BARE_BUNDLE"]))
    threads = CapacityLimiter(N_THREADS)

    async def inspect(request: Request) -> Response:
        form = await request.form()
        files = [one for one in form.getlist("views") if isinstance(one, UploadFile)]
        views = [View(file.filename or "", await file.read()) for file in files]

        part = await to_thread.run_sync(inspector.inspect, views, limiter=threads)
        return JSONResponse(_answer(part))

    async def ready(_: Request) -> Response:
        return Response("ok")

    return Starlette(
        routes=[Route("/inspect", inspect, methods=["POST"]), Route("/readyz", ready)]
    )


def _answer(part: Any) -> dict[str, Any]:
    views = [{"scores": view.scores, "verdict": view.verdict} for view in part.views]
    return {"verdict": part.verdict, "label": part.label, "views": views}
