"""The family of failures, each with the status, slug and sentence its reader gets (RFC 9457).

    ServiceError                            500 internal
    ├── Refused                             the caller's fault or ours to refuse: before the first byte
    │   ├── InvalidRequest                  422 invalid-request
    │   ├── NotFound                        404 not-found
    │   ├── NoSuchConversation              404 not-found
    │   ├── NoSuchMessage                   404 not-found
    │   ├── MessageReused                   409 message-reused         one client message id, two questions
    │   ├── RequestTimeout                  408 request-timeout        by the HTTP server, below the app
    │   ├── TooLarge                        413 too-large
    │   ├── Unauthorized                    401 unauthorized           the site key is missing or another
    │   ├── ForbiddenOrigin                 403 forbidden-origin       a page of a site that may not ask
    │   ├── RateLimited                     429 rate-limited           this visitor or address asks too often
    │   ├── Overloaded                      503 overloaded             too many answers are under way
    │   ├── UriTooLong                      414 uri-too-long           by the HTTP server, below the app
    │   ├── UnsupportedMedia                415 unsupported-media-type
    │   └── HeadersTooLarge                 431 headers-too-large      by the HTTP server, below the app
    ├── ModelError                          the language model failed; an extractive answer may stand in
    │   ├── ModelUnavailable                503 model-unavailable      connect, 500, 503, 504        transient
    │   ├── ModelBusy                       503 model-busy             429, quota                    transient
    │   ├── ModelMisconfigured              503 model-misconfigured    key, model name
    │   ├── ModelRejected                   502 model-rejected         400
    │   ├── ModelBadResponse                502 model-bad-response     truncated, not JSON           transient
    │   └── ModelEmpty                      502 model-empty            no text                       transient
    ├── SearchError                         the index failed; there is nothing to answer from
    │   ├── SearchUnavailable               503 search-unavailable     connect, 408, 429, 503        transient
    │   ├── SearchBadResponse               503 search-bad-response
    │   ├── SearchMisconfigured             503 search-misconfigured   key
    │   ├── IndexMissing                    503 index-missing
    │   └── IndexMismatch                   503 index-mismatch         model, dimensions, schema
    ├── StoreError                          the conversations can't be kept or read; answers go on without history
    │   ├── StoreUnavailable                503 store-unavailable      connect, busy, full, read-only    transient
    │   └── StoreDamaged                    503 store-damaged          the file is no database of ours
    ├── DeadlineExceeded                    504 deadline
    ├── ShuttingDown                        503 shutting-down          the process ends; another one may answer
    └── StartRefused                        exit code 78: the settings or the index can't be served with

``detail`` and ``title`` are for the reader and never hold upstream text, hosts, keys or input; what was seen upstream goes to
``cause``, for the log alone. ``transient`` failures may be tried once more inside the request's deadline.
"""

from collections.abc import Sequence
from typing import ClassVar

EX_CONFIG = 78  # sysexits.h: unconfigured or misconfigured


class ServiceError(Exception):
    """A failure that has a name. Subclasses set the class attributes; ``cause`` is for the log only."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong"
    detail: ClassVar[str] = "The service failed to answer. The fault was logged."
    retryable: ClassVar[bool] = False
    transient: ClassVar[bool] = False

    def __init__(self, cause: str = "", *, retry_after_s: float | None = None) -> None:
        """``cause``: what happened, for the log. ``retry_after_s``: when the upstream said to come back."""
        super().__init__(cause or self.title)
        self.cause = cause
        self.retry_after_s = retry_after_s


class Refused(ServiceError):
    """The request can't be taken as it is."""


class InvalidRequest(Refused):
    """A field is missing, too long or of another kind."""

    status, slug, title = 422, "invalid-request", "The request is not valid"
    detail = "A field of the request is missing or not valid; see errors."


class NotFound(Refused):
    """Nothing is served at this address."""

    status, slug, title = 404, "not-found", "Not found"
    detail = "Nothing is served at this address."


class NoSuchConversation(NotFound):
    """Unknown, expired, or another visitor's: nothing tells which."""

    title, detail = "No such conversation", "There is no such conversation. It may have expired."


class NoSuchMessage(NotFound):
    """Unknown, expired, or another visitor's: nothing tells which."""

    title, detail = "No such message", "There is no such message. It may have expired."


class MessageReused(Refused):
    """A client message id that already stands for another question."""

    status, slug, title = 409, "message-reused", "The message id is taken"
    detail = "This client_message_id was sent with another question before. Give every message an id of its own."


class Unauthorized(Refused):
    """The site key is missing or another."""

    status, slug, title = 401, "unauthorized", "The site key is missing or wrong"
    detail = "This service answers only requests that bear its site key."


class ForbiddenOrigin(Refused):
    """A page of a site that is not allowed to ask."""

    status, slug, title = 403, "forbidden-origin", "This site may not ask"
    detail = "This service does not answer requests from this site."


class RateLimited(Refused):
    """A visitor or an address asks too often; ``cause`` names the limit."""

    status, slug, title, retryable = 429, "rate-limited", "Too many questions", True
    detail = "Too many questions were asked in a short time. Please wait a moment and try again."


class Overloaded(Refused):
    """Too many answers are under way at once."""

    status, slug, title, retryable = 503, "overloaded", "The service is busy", True
    detail = "The service answers as many questions as it can right now. Please try again in a moment."


class RequestTimeout(Refused):
    """The request did not arrive in time."""

    status, slug, title, retryable = 408, "request-timeout", "The request came too slowly", True
    detail = "The request did not arrive in time. Please send it again."


class TooLarge(Refused):
    """The body is over the limit."""

    status, slug, title = 413, "too-large", "The request is too large"
    detail = "The request body is larger than this service takes."


class UriTooLong(Refused):
    """The address is over the limit."""

    status, slug, title = 414, "uri-too-long", "The address is too long"
    detail = "The address of the request is longer than this service takes."


class HeadersTooLarge(Refused):
    """Too many headers, or too large ones."""

    status, slug, title = 431, "headers-too-large", "The headers are too large"
    detail = "The request has more headers, or larger ones, than this service takes."


class UnsupportedMedia(Refused):
    """The body is no plain JSON."""

    status, slug, title = 415, "unsupported-media-type", "Only JSON is taken"
    detail = "Send the body as application/json, without a content encoding."


class ModelError(ServiceError):
    """The language model failed; the passages themselves may stand in for its answer."""

    detail = "The language model can't be reached right now. Please try again."


class ModelUnavailable(ModelError):
    """Connection refused or lost, or the upstream answered 5xx."""

    status, slug, title = 503, "model-unavailable", "The language model is unavailable"
    retryable = transient = True


class ModelBusy(ModelError):
    """Quota or rate limit of the upstream."""

    status, slug, title = 503, "model-busy", "The language model is busy"
    detail = "The language model takes no more questions right now. Please try again shortly."
    retryable = transient = True


class ModelMisconfigured(ModelError):
    """The key or the model's name is refused; only the owner can mend it."""

    status, slug, title = 503, "model-misconfigured", "The language model is not set up"
    detail = "The language model refuses this service. Its owner has to mend the settings."


class ModelRejected(ModelError):
    """The upstream refuses this one request."""

    status, slug, title = 502, "model-rejected", "The language model refused the question"
    detail = "The language model refused the request."


class ModelBadResponse(ModelError):
    """Cut off, or not in the agreed form."""

    status, slug, title = 502, "model-bad-response", "The language model's reply can't be read"
    detail = "The language model's reply broke off or can't be read. Please try again."
    retryable = transient = True


class ModelEmpty(ModelError):
    """A reply with no text in it."""

    status, slug, title = 502, "model-empty", "The language model gave no answer"
    detail = "The language model gave an empty answer. Please try again."
    retryable = transient = True


class SearchError(ServiceError):
    """The index failed: there is nothing to answer from."""

    detail = "The documentation can't be searched right now. Please try again."


class SearchUnavailable(SearchError):
    """Connection refused or lost, time-out, rate limit, 5xx."""

    status, slug, title = 503, "search-unavailable", "Search is unavailable"
    retryable = transient = True


class SearchBadResponse(SearchError):
    """The engine's reply can't be read."""

    status, slug, title = 503, "search-bad-response", "Search gave an unreadable reply"
    retryable = True


class SearchMisconfigured(SearchError):
    """The engine refuses our key."""

    status, slug, title = 503, "search-misconfigured", "Search is not set up"
    detail = "The search engine refuses this service. Its owner has to mend the settings."


class IndexMissing(SearchError):
    """There is no index yet."""

    status, slug, title = 503, "index-missing", "There is no index yet"
    detail = "The documentation has not been indexed yet."


class IndexMismatch(SearchError):
    """The index was made by another model or schema."""

    status, slug, title = 503, "index-mismatch", "The index does not fit the settings"
    detail = "The documentation was indexed with other settings. Its owner has to index it again."


class StoreError(ServiceError):
    """The conversations can't be kept or read; an answer needs neither."""

    detail = "Conversations can't be read or kept right now. Please try again."


class StoreUnavailable(StoreError):
    """Connection refused or lost, time-out, locked, full or read-only."""

    status, slug, title = 503, "store-unavailable", "Conversations are unavailable"
    retryable = transient = True


class StoreDamaged(StoreError):
    """What is there is no database of ours, or a damaged one; only the owner can mend it."""

    status, slug, title = 503, "store-damaged", "Conversations can't be read"
    detail = "The conversations can't be read. The owner of this service has to mend that."


class DeadlineExceeded(ServiceError):
    """The request's time is over."""

    status, slug, title, retryable = 504, "deadline", "The answer took too long", True
    detail = "The answer took too long. Please try again."


class ShuttingDown(ServiceError):
    """The process ends before the answer does."""

    status, slug, title = 503, "shutting-down", "The service is restarting"
    detail = "The service is being restarted. Please try again."
    retryable = True


class StartRefused(ServiceError):
    """The service does not start: every problem, one sentence each, without secrets."""

    def __init__(self, problems: Sequence[str]) -> None:
        """``problems``: each a sentence that says what is wrong and how to mend it."""
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
