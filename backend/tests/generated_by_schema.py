"""Requests made by schemathesis from the service's own description, and its verdicts on the replies.

The service takes more than it declares, on purpose: a verdict on what was sent counts only if it holds for what is read of it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

import jsonschema_rs
import schemathesis
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.engine import events, from_schema
from schemathesis.openapi.checks import RejectedPositiveData

from chatbot_api.models.clean_text import clean
from chatbot_api.models.conversation_models import Reason
from generated_replies import LIMIT_S, Reply
from hostile_requests import CANARY

REFUSED = ["400", "404", "405", "409", "413", "415", "422"]
"""What may be said to data that the description forbids."""
TAKEN = ["2xx", "404", "409", "413"]
"""What may be said to data that it allows: it tells neither whose they are, nor what was sent before, nor the body's limit."""
STORIES = 10
"""Sequences of requests that follow from each other: only conversations can be followed."""
_WORDS = {"rating", "reason"}
"""Fields whose strings mean something: no canary there."""
_BOOLEANS = {"true", "false", "t", "f", "yes", "no", "y", "n", "on", "off", "1", "0"}
_RATINGS = {"good": "up", "bad": "down", "positive": "up", "negative": "down"}


def marked(value: Any, name: str = "") -> Any:
    """The same value with the canary in its strings; as long as before, or still shorter than any limit."""
    if isinstance(value, dict):
        return {key: marked(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [marked(item) for item in value]
    if isinstance(value, str) and clean(value).strip() and name not in _WORDS:
        return CANARY + value[len(CANARY) :]
    return value


def as_read(value: Any, name: str = "") -> Any:
    """What was sent, as the service reads it: unseen characters dropped, and the forms that older widgets send."""
    if isinstance(value, dict):
        return {key: as_read(item, key) for key, item in value.items()}
    if isinstance(value, list):
        return [as_read(item) for item in value]
    if name == "stream":
        return True if str(value).lower().removesuffix(".0") in _BOOLEANS else value
    if name == "top_k":
        return _whole(value)
    if not isinstance(value, str):
        return value
    if name == "context":
        return {}
    if name == "rating":
        return _RATINGS.get(value, value)
    if name == "reason":
        return value if value in get_args(Reason) else "other"
    return clean(value).strip()


def _whole(value: Any) -> Any:
    try:
        return int(value) if isinstance(value, bool | str) else value
    except ValueError:
        return value


class GeneratedBySchema:
    """Runs of schemathesis against one service. ``description``: its OpenAPI document."""

    def __init__(self, url: str, description: Mapping[str, Any]) -> None:
        self._url = url
        bodies = {
            f"POST {path}": verbs["post"]["requestBody"]["content"]["application/json"]["schema"]
            for path, verbs in description["paths"].items()
            if "post" in verbs
        }
        self._valid = {
            name: jsonschema_rs.validator_for({**body, "components": description["components"]}) for name, body in bodies.items()
        }
        self.failures: list[str] = []
        """What schemathesis found wrong."""

    def replies(self, seed: int, examples: int) -> Iterator[Reply]:
        """All replies of one run with all checks. ``examples``: at most, for each operation in each phase."""
        settings = {
            "seed": seed,
            "suppress-health-check": ["all"],
            "continue-on-failure": True,
            "request-timeout": LIMIT_S,
            "cache": {"enabled": False},
            "generation": {"max-examples": examples, "database": "none", "no-shrink": True},
            "phases": {"stateful": {"generation": {"max-examples": STORIES}}},
            "checks": {
                "enabled": True,
                "negative_data_rejection": {"expected-statuses": REFUSED},
                "positive_data_acceptance": {"expected-statuses": TAKEN},
            },
        }
        config = schemathesis.Config.from_dict(settings)
        schema = schemathesis.openapi.from_url(f"{self._url}/openapi.json", config=config)
        schema.hook("map_body")(lambda _context, body: marked(body))
        schema.hook("map_path_parameters")(lambda _context, parameters: marked(parameters))
        schema.hook("filter_failure")(lambda _context, failure, case, _response: self._is_fault(failure, case))
        for event in from_schema(schema).execute():
            if isinstance(event, events.FatalError):
                raise event.exception
            if isinstance(event, events.NonFatalError):
                self.failures.append(f"{event.label}: {event.value!r}")
            if isinstance(event, events.ScenarioFinished):
                yield from self._taken(event)

    def _is_fault(self, failure: Failure, case: schemathesis.Case) -> bool:
        """Whether the verdict stands once the body is taken as the service reads it."""
        valid = self._valid.get(case.operation.label)
        if valid is None or not isinstance(failure, AcceptedNegativeData | RejectedPositiveData):
            return True
        return valid.is_valid(case.body) == valid.is_valid(as_read(case.body))

    def _taken(self, scenario: events.ScenarioFinished) -> Iterator[Reply]:
        recorder = scenario.recorder
        for identity, interaction in recorder.interactions.items():
            case, response = recorder.cases[identity].value, interaction.response
            sent = interaction.request.body or b""
            for check in recorder.checks.get(identity, []):
                if check.failure_info:
                    told = f"{check.failure_info.failure.title}: {check.failure_info.failure.message[:300]}"
                    self.failures.append(f"{case.method} {case.operation.path}: {check.name}: {told}; sent {sent[:400]!r}")
            headers = {} if response is None else {name.lower(): ", ".join(values) for name, values in response.headers.items()}
            yield Reply(
                method=case.method.upper(),
                route=case.operation.path,
                status=response.status_code if response else 0,
                headers=headers,
                body=response.content if response else b"",
                seconds=response.elapsed if response else LIMIT_S,
                sent=sent,
            )
