"""The parts of google-generativeai that are used here, imported without the warnings that it is at its end.

Of its own ways in, ``configure`` holds one key for the whole process and ``GenerativeModel`` keeps each chunk of a stream back
until the next one is there; so the client below them is made here. Raises ModuleNotFoundError where it isn't installed.
"""

import warnings
from importlib import import_module
from typing import Any

import requests
from google.auth.credentials import AnonymousCredentials

from chatbot_api.services.cuttable_http import make_cuttable

GOOGLE = "https://generativelanguage.googleapis.com"

with warnings.catch_warnings():
    # That its support has ended is known: it has to be asked for by name. How long Google goes on with a Python is no news here.
    warnings.filterwarnings("ignore", r"\s*All support for the `google\.generativeai` package has ended", FutureWarning)
    warnings.filterwarnings("ignore", r"You are using a Python version .* google\.api_core", FutureWarning)
    # By name: the package is not there where types are checked.
    genai: Any = import_module("google.generativeai")
    _language: Any = import_module("google.ai.generativelanguage_v1beta.services.generative_service")
    _rest: Any = import_module("google.ai.generativelanguage_v1beta.services.generative_service.transports.rest")
    _exceptions: Any = import_module("google.api_core.exceptions")
    _json: Any = import_module("google.protobuf.json_format")

PACKAGE_ERRORS: tuple[type[Exception], ...] = (_exceptions.GoogleAPIError, _json.ParseError)
"""What the package raises for replies it can't make anything of."""


def client_of(api_key: str, base_url: str, connections: int) -> tuple[Any, requests.Session]:
    """The package's REST client, and its session, to be closed. ``base_url``: empty for Google's. ``connections``: kept open."""
    transport = _rest.GenerativeServiceRestTransport(host=base_url.rstrip("/") or GOOGLE, credentials=AnonymousCredentials())
    session: requests.Session = transport._session
    make_cuttable(session, {"x-goog-api-key": api_key}, connections)
    return _language.GenerativeServiceClient(transport=transport), session


def message_of(reply: Any) -> Any:
    """The protobuf message in a reply: quicker to read, and its enums are numbers, those that the package doesn't know too."""
    return type(reply).pb(reply)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
