"""One answer of ours in OpenAI's objects: a completion or its chunks, citations in OpenAI's own form and in Perplexity's."""

from collections.abc import Iterator
from time import time
from typing import Any, Final, assert_never

from chatbot_api.models.answer_models import Usage
from chatbot_api.models.chat_models import (
    ChatResponse,
    Delta,
    Done,
    Event,
    Failed,
    FinishReason,
    Source,
    Sources,
    Start,
    Status,
)
from chatbot_api.telemetry import tokens_spent

_FINISH: Final[dict[FinishReason, str]] = {"stop": "stop", "length": "length", "blocked": "content_filter"}


class CompletionChunks:
    """The state of one answer while it is streamed."""

    def __init__(self, model: str, with_usage: bool) -> None:
        """``model``: the name it goes by. ``with_usage``: end with a chunk that says what it cost."""
        self._with_usage = with_usage
        self._chunk: dict[str, Any] = {"object": "chat.completion.chunk", "created": int(time()), "model": model}

    def told(self, event: Event) -> Iterator[dict[str, Any]]:
        """The chunks that tell an event; those of the last one hold the citations."""
        match event:
            case Start():
                self._chunk = {"id": event.message_id, **self._chunk, "conversation_id": event.conversation_id}
                yield self._with({"role": "assistant", "content": ""})
            case Status() | Sources():
                pass  # the sources that are cited come with Done
            case Delta():
                yield self._with({"content": event.text})
            case Done():
                yield {**self._with({"annotations": _annotations(event)}, _FINISH[event.finish_reason]), **_known(event)}
                if self._with_usage:
                    yield {**self._chunk, "choices": [], "usage": _usage(tokens_spent())}
            case Failed():
                yield with_error(event.problem.model_dump(exclude_none=True))
            case _:
                assert_never(event)

    def _with(self, delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        return {**self._chunk, "choices": [{"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}]}


def completion_of(answer: ChatResponse, model: str) -> dict[str, Any]:
    """The answer in one piece."""
    message = {"role": "assistant", "content": answer.response, "refusal": None, "annotations": _annotations(answer)}
    return {
        "id": answer.message_id,
        "object": "chat.completion",
        "created": int(time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": _FINISH[answer.finish_reason], "logprobs": None}],
        "usage": _usage(tokens_spent()),
        "conversation_id": answer.conversation_id,
        **_known(answer),
    }


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


def _usage(spent: Usage) -> dict[str, int]:
    return {"prompt_tokens": spent.input_tokens, "completion_tokens": spent.output_tokens, "total_tokens": spent.total}


def _annotations(done: Done | ChatResponse) -> list[dict[str, Any]]:
    """Each marker with its source, in OpenAI's form; positions in characters."""
    sources = {source.id: source for source in done.sources}
    cited = ((one, sources[one.source_id]) for one in done.citations if one.source_id in sources)
    return [
        {
            "type": "url_citation",
            "url_citation": {"start_index": one.start, "end_index": one.end, "url": source.url, "title": source.full_title},
        }
        for one, source in cited
    ]


def _known(done: Done | ChatResponse) -> dict[str, Any]:
    """What else is known of the answer, at the top level as Perplexity has it: the marker ``[n]`` is the n-th entry."""
    results = [_result(source) for source in _by_number(done.sources)]
    return {
        "citations": [result["url"] for result in results],
        "search_results": results,
        "nearest": [_result(source) for source in done.nearest],
        "outcome": done.outcome,
        "degraded": done.degraded,
    }


def _by_number(sources: list[Source]) -> list[Source]:
    """The cited sources at their numbers' places. A place that no marker names repeats the next one, or numbers would slip."""
    places: list[Source] = []
    for source in sorted(sources, key=lambda source: int(source.id)):
        places += [source] * (int(source.id) - len(places))
    return places


def _result(source: Source) -> dict[str, Any]:
    return {"title": source.full_title, "url": source.url, "snippet": source.snippet}
