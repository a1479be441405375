"""Problems below ``/v1/`` told in OpenAI's form too: its clients read ``error.message`` and know nothing of RFC 9457."""

import json

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chatbot_api.openai_completion import with_error

PREFIX = "/v1/"


class OpenAIErrors:
    """Adds the member ``error`` to every problem below ``/v1/``, whether a limit, the router or the door refused the request."""

    def __init__(self, app: ASGIApp) -> None:
        """``app``: all the rest, its own middleware included."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        held: Message | None = None
        body = b""

        async def rewritten(message: Message) -> None:
            nonlocal held, body
            if message["type"] == "http.response.start" and _is_problem(message):
                held = message
            elif held is None:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body", False):
                    told = json.dumps(with_error(json.loads(body))).encode()
                    MutableHeaders(scope=held)["content-length"] = str(len(told))
                    await send(held)
                    await send({"type": "http.response.body", "body": told})

        await self._app(scope, receive, rewritten)


def _is_problem(start: Message) -> bool:
    return MutableHeaders(scope=start).get("content-type", "").startswith("application/problem+json")
