"""One answer of ours in OpenAI's objects: a completion or its chunks, citations in OpenAI's own form and in Perplexity's."""

from collections.abc import Iterator
from time import time
from typing import Any

from chatbot_api.models.chat_models import ChatResponse, Delta, Done, Event, Failed, Source, Sources, Start, Status, cited_in
from chatbot_api.openai_errors import with_error
from chatbot_api.telemetry import tokens_spent

_FINISH = {"stop": "stop", "length": "length", "blocked": "content_filter"}


class CompletionChunks:
    """The state of one answer while it is streamed."""

    def __init__(self, model: str, with_usage: bool) -> None:
        """``model``: the name it goes by. ``with_usage``: end with a chunk that says what it cost."""
        self._model, self._with_usage = model, with_usage
        self._head: dict[str, Any] = {}

    def told(self, event: Event) -> Iterator[dict[str, Any]]:
        """The chunks that tell an event; those of the last one hold the citations."""
        match event:
            case Start():
                self._head = _head("chat.completion.chunk", self._model, event)
                yield self._head | _choice(delta={"role": "assistant", "content": ""})
            case Delta():
                yield self._head | _choice(delta={"content": event.text})
            case Done():
                yield self._head | _choice(event, delta={"annotations": _annotations(event)}) | _known(event)
                if self._with_usage:
                    yield self._head | {"choices": []} | _usage()
            case Failed():
                yield with_error(event.problem.model_dump(exclude_none=True))
            case Status() | Sources():
                pass  # the sources that are cited come with Done


def completion_of(answer: ChatResponse, model: str) -> dict[str, Any]:
    """The answer in one piece."""
    message = {"role": "assistant", "content": answer.response, "refusal": None, "annotations": _annotations(answer)}
    return _head("chat.completion", model, answer) | _choice(answer, message=message) | _known(answer) | _usage()


def _head(kind: str, model: str, answer: Start | ChatResponse) -> dict[str, Any]:
    ids = {"id": answer.message_id, "conversation_id": answer.conversation_id}
    return {**ids, "object": kind, "created": int(time()), "model": model}


def _choice(ended: Done | ChatResponse | None = None, **part: Any) -> dict[str, Any]:
    finish = _FINISH[ended.finish_reason] if ended else None
    return {"choices": [{"index": 0, **part, "finish_reason": finish, "logprobs": None}]}


def _usage() -> dict[str, Any]:
    spent = tokens_spent()
    tokens = {"prompt_tokens": spent.input_tokens, "completion_tokens": spent.output_tokens, "total_tokens": spent.total}
    return {"usage": tokens}


def _annotations(answer: Done | ChatResponse) -> list[dict[str, Any]]:
    """Each marker with its source, in OpenAI's form; positions in characters."""
    cited = [
        {"start_index": one.start, "end_index": one.end, "url": source.url, "title": source.full_title}
        for one, source in cited_in(answer)
    ]
    return [{"type": "url_citation", "url_citation": one} for one in cited]


def _known(answer: Done | ChatResponse) -> dict[str, Any]:
    """What else is known of the answer, at the top level as Perplexity has it: the marker ``[n]`` is the n-th entry."""
    cited = {int(source.id): _result(source) for source in answer.sources}
    # A place that no marker names repeats the next one, or numbers would slip.
    results = [cited[min(number for number in cited if number >= place)] for place in range(1, max(cited, default=0) + 1)]
    return {
        "citations": [result["url"] for result in results],
        "search_results": results,
        "nearest": [_result(source) for source in answer.nearest],
        **answer.model_dump(include={"outcome", "degraded"}),
    }


def _result(source: Source) -> dict[str, Any]:
    return {"title": source.full_title, "url": source.url, "snippet": source.snippet}
