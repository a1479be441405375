"""A refusal of the HTTP server's own as bytes: a problem (RFC 9457) with a request id, and the connection's last answer."""

from secrets import token_hex

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from chatbot_api.errors import InvalidRequest, ServiceError
from chatbot_api.services.problems import problem_of
from chatbot_api.telemetry import logger

log = logger(__name__)


def refusal_on_the_wire(refusal: ServiceError, headers: list[tuple[bytes, bytes]], *, bodiless: bool) -> bytes:
    """The whole answer; it is logged. ``headers``: further ones. ``bodiless``: it answers a HEAD."""
    problem = problem_of(refusal, token_hex(16))
    if isinstance(refusal, InvalidRequest):
        problem = problem.model_copy(update={"status": 400, "detail": "The request can't be read."})
    log.info("request_refused", request_id=problem.request_id, status=problem.status, problem=refusal.slug)
    body = problem.model_dump_json(exclude_none=True, ensure_ascii=True).encode()
    lines = [
        *headers,
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", problem.request_id.encode()),
        (b"connection", b"close"),
    ]
    head = b"".join(b"%s: %s\r\n" % line for line in lines)
    return STATUS_LINE[problem.status] + head + b"\r\n" + (b"" if bodiless else body)
