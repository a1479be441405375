"""Problems below ``/v1/`` told in OpenAI's form too: its clients read ``error.message`` and know nothing of RFC 9457."""

import json
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def with_error(problem: dict[str, Any]) -> dict[str, Any]:
    """A problem object with the member that OpenAI's clients read beside it; ``param`` names the first field that is wrong."""
    wrong: list[dict[str, Any]] = problem.get("errors") or []
    places = [".".join(str(part) for part in item["loc"] if part != "body") for item in wrong]
    status = problem["status"]
    error = {
        "message": " ".join([problem["detail"], *(f"{place}: {item['msg']}" for place, item in zip(places, wrong, strict=True))]),
        "type": "rate_limit_error" if status == 429 else "server_error" if status >= 500 else "invalid_request_error",
        "param": places[0] if places else None,
        "code": problem["type"].rpartition(":")[2],
    }
    return {**problem, "error": error}


class OpenAIErrors:
    """Adds the member ``error`` to every problem below ``/v1/``, whether a limit, the router or the door refused the request."""

    def __init__(self, app: ASGIApp) -> None:
        """``app``: all the rest, its own middleware included."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        problem: Message | None = None

        async def told(message: Message) -> None:
            nonlocal problem
            if Headers(raw=message.get("headers", [])).get("content-type") == "application/problem+json":
                problem = message  # held: its length is not known yet. Its body is one message
                return
            if problem:
                message["body"] = json.dumps(with_error(json.loads(message["body"]))).encode()
                MutableHeaders(scope=problem)["content-length"] = str(len(message["body"]))
                await send(problem)
            await send(message)

        ours = scope["type"] == "http" and scope["path"].startswith("/v1/")
        await self._app(scope, receive, told if ours else send)
