"""The requests no honest client sends, as bytes: name -> what goes over the wire, and the statuses that are right."""

from typing import NamedTuple

from wire_client import asking, request

CANARY = "EchoCanary7731"
"""Stands in every request that is refused, and in no reply."""
QUERY = b'{"query":"pair a lamp"}'


class Hostile(NamedTuple):
    """One request."""

    name: str
    raw: bytes
    status: int


def _raw(*lines: str, body: bytes = QUERY) -> bytes:
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _sized(*lines: str) -> bytes:
    """A POST /chat whose framing headers are the lines'."""
    return _raw("POST /chat HTTP/1.1", "Host: h", "Content-Type: application/json", f"X-Note: {CANARY}", *lines)


def _chunked(chunks: bytes, *lines: str) -> bytes:
    return asking(b"", *(lines or ("Transfer-Encoding: chunked",))) + chunks


def _nested(opening: bytes, closing: bytes, depth: int) -> bytes:
    return b'{"query":' + opening * depth + f'"{CANARY}"'.encode() + closing * depth + b"}"


def _json(text: str) -> bytes:
    return asking(text.encode("utf-8", "surrogatepass"))


BODIES = [
    Hostile("a plain question", asking(QUERY), 200),
    Hostile("UTF-16", asking(QUERY.decode().encode("utf-16")), 200),
    Hostile("UTF-32", asking(QUERY.decode().encode("utf-32")), 200),
    Hostile("a byte order mark", asking(b"\xef\xbb\xbf" + QUERY), 200),
    Hostile("the same key twice", asking(b'{"query":1,"query":"lamp"}'), 200),
    Hostile("keys of a prototype", _json('{"query":"lamp","__proto__":{"a":1},"constructor":{"b":2}}'), 200),
    Hostile("a number of 4000 digits", _json(f'{{"query":"{CANARY}","top_k":{"7" * 4000}}}'), 422),
    Hostile("a number of 5000 digits", _json(f'{{"query":"{CANARY}","top_k":{"7" * 5000}}}'), 400),
    Hostile("a question of 5000 digits", _json(f'{{"query":{"7" * 5000}}}'), 400),
    Hostile("a number beyond floats", _json(f'{{"query":"{CANARY}","top_k":1e999}}'), 422),
    Hostile("an object 5000 deep", asking(b'{"a":' * 5000 + b"1" + b"}" * 5000), 400),
    Hostile("a list 400 deep", asking(_nested(b"[", b"]", 400)), 422),
    Hostile("a list 900 deep", asking(_nested(b"[", b"]", 900)), 422),
    Hostile("a list 30000 deep", asking(_nested(b"[", b"]", 30_000)), 400),
    Hostile("a list 100000 deep", asking(_nested(b"[", b"]", 100_000)), 413),
    Hostile("a number of 500000 digits", _json(f'{{"query":{"7" * 500_000}}}'), 413),
    Hostile("no UTF-8", asking(b'{"query":"' + CANARY.encode() + b'\xff\xfe"}'), 400),
    Hostile("a lone surrogate, escaped", _json(r'{"query":"lamp \ud800"}'), 200),
    Hostile("a lone surrogate, in bytes", _json('{"query":"lamp \ud800"}'), 200),
    Hostile("a lone surrogate as a key", _json(f'{{"\\ud800":"{CANARY}"}}'), 422),
    Hostile("NaN", _json('{"query":NaN}'), 422),
    Hostile("Infinity, nested", _json(f'{{"query":{{"{CANARY}":-Infinity}}}}'), 422),
    Hostile("nothing", asking(b""), 422),
    Hostile("white space", asking(b" \r\n\t"), 400),
    Hostile("null", asking(b"null"), 422),
    Hostile("a list", _json(f'["{CANARY}"]'), 422),
    Hostile("a string", _json(f'"{CANARY}"'), 422),
    Hostile("a comment", _json(f'{{"query":"x"/*{CANARY}*/}}'), 400),
    Hostile("a trailing comma", _json(f'{{"query":"{CANARY}",}}'), 400),
    Hostile("single quotes", _json(f"{{'query':'{CANARY}'}}"), 400),
    Hostile("two documents", _json(f'{{"query":"{CANARY}"}}{{}}'), 400),
    Hostile("half a document", _json(f'{{"query":"{CANARY}'), 400),
]
HEADERS = [
    Hostile("another host", request("POST", "/chat", QUERY, "Content-Type: application/json", host=f"{CANARY}.example"), 200),
    Hostile("two hosts", asking(QUERY, f"Host: {CANARY}.example"), 400),
    Hostile("no host", _raw("POST /chat HTTP/1.1", "Content-Type: application/json", f"Content-Length: {len(QUERY)}"), 400),
    Hostile("ranges", asking(QUERY, "Range: bytes=0-,0-,0-"), 200),
    Hostile("an absolute address", asking(QUERY, target=f"http://{CANARY}.example/chat"), 200),
    Hostile("another method in a header", asking(QUERY, "X-HTTP-Method-Override: DELETE", "X-Method-Override: PUT"), 200),
    Hostile("a false sender", asking(QUERY, f"X-Forwarded-For: {CANARY}", f"Forwarded: for={CANARY}", "X-Real-IP: 6.6.6.6"), 200),
    Hostile("a false host and scheme", asking(QUERY, f"X-Forwarded-Host: {CANARY}.example", "X-Forwarded-Proto: gopher"), 200),
    Hostile("a rewritten address", asking(QUERY, f"X-Original-URL: /{CANARY}", f"X-Rewrite-URL: /{CANARY}"), 200),
    Hostile("an id that breaks lines", asking(QUERY, f"X-Request-ID: {CANARY} %0d%0aSet-Cookie: a=b"), 200),
    Hostile("an id that is too long", asking(QUERY, f"X-Request-ID: {CANARY * 5}"), 200),
    Hostile("a cookie and a login", asking(QUERY, f"Cookie: {CANARY}={'a' * 8000}", f"Authorization: Basic {CANARY}"), 200),
    Hostile("bytes beyond ASCII in a header", asking(QUERY, "X-A: \udcff\udcfe\udcc3"), 200),
    Hostile("a charset nobody uses", asking(QUERY, content_type="application/json; charset=utf-7"), 200),
    Hostile("waiting for 100 Continue", asking(QUERY, "Expect: 100-continue"), 200),
    Hostile("a header of 1 MB", request("GET", "/health", b"", "X-A: " + "a" * 1_000_000), 431),
    Hostile("20000 headers", request("GET", "/health", b"", *(f"X-{number}: a" for number in range(20_000))), 431),
    Hostile("an address of 1 MB", request("GET", f"/{CANARY}" + "a" * 1_000_000), 414),
    Hostile("text", asking(f"query={CANARY}".encode(), content_type="text/plain"), 415),
    Hostile("a form", asking(f"query={CANARY}".encode(), content_type="application/x-www-form-urlencoded"), 415),
    Hostile("a form in parts", asking(b"--b\r\n\r\nx\r\n--b--", content_type=f"multipart/form-data; boundary={CANARY}"), 415),
    Hostile("another JSON", asking(QUERY, content_type="application/ld+json"), 415),
    Hostile("no content type", request("POST", "/chat", QUERY), 415),
    Hostile("an empty content type", asking(QUERY, content_type=""), 415),
    Hostile("a packed body", asking(QUERY, "Content-Encoding: gzip"), 415),
    Hostile("a body packed twice", asking(QUERY, "Content-Encoding: identity", "Content-Encoding: br"), 415),
    Hostile("a body packed by nobody knows what", asking(QUERY, f"Content-Encoding: {CANARY}"), 415),
    Hostile("no packing, said so", asking(QUERY, "Content-Encoding: identity"), 200),
    Hostile("a header without a colon", _sized(CANARY), 400),
    Hostile("a space in a header's name", _sized("X A: b"), 400),
    Hostile("a space before the colon", _sized("X-A : b"), 400),
    Hostile("NUL in a header", _sized("X-A: a\x00b"), 400),
    Hostile("a folded header", _sized("X-A: a", " folded"), 400),
    Hostile("a web socket", request("GET", "/chat", b"", *(
        "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )), 405),
]  # fmt: skip
FRAMING = [
    Hostile("chunks", _chunked(b"17\r\n" + QUERY + b"\r\n0\r\n\r\n"), 200),
    Hostile("one byte a chunk", _chunked(b"".join(b"1\r\n%c\r\n" % byte for byte in QUERY) + b"0\r\n\r\n"), 200),
    Hostile("chunks with an extension and a trailer", _chunked(b"17;a=b\r\n" + QUERY + b"\r\n0\r\nX-A: b\r\n\r\n"), 200),
    Hostile("a chunk's size that is no number", _chunked(b"ZZ\r\n" + QUERY + b"\r\n0\r\n\r\n"), 400),
    Hostile("a chunk's size below zero", _chunked(b"-1\r\n" + QUERY), 400),
    Hostile("a chunk's size beyond 64 bits", _chunked(b"FFFFFFFFFFFFFFFFF\r\n" + QUERY), 400),
    Hostile("length and chunks", asking(QUERY, "Transfer-Encoding: chunked"), 400),
    Hostile("chunks by another name", _chunked(b"17\r\n" + QUERY, "Transfer-Encoding: xchunked"), 400),
    Hostile("no transfer encoding, said so", asking(QUERY, "Transfer-Encoding: identity"), 400),
    Hostile("a length below zero", _sized("Content-Length: -5"), 400),
    Hostile("a length with a sign", _sized(f"Content-Length: +{len(QUERY)}"), 400),
    Hostile("a length in hex", _sized("Content-Length: 0x17"), 400),
    Hostile("a length beyond 64 bits", _sized("Content-Length: 99999999999999999999"), 400),
    Hostile("two lengths", asking(QUERY, "Content-Length: 5"), 400),
    Hostile("a length of a terabyte", _sized("Content-Length: 999999999999"), 413),
    Hostile("bare line feeds", b"GET /health HTTP/1.1\nHost: h\n\n", 400),
    Hostile("bare carriage returns", b"GET /health HTTP/1.1\rHost: h\r\r", 400),
    Hostile("TLS", bytes.fromhex("16030100c8010000c40303") + b"\x00" * 200, 400),
    Hostile("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    Hostile("HTTP/9.9", _raw("GET /health HTTP/9.9", "Host: h", body=b""), 400),
    Hostile("HTTP/1.0", _raw("GET /health HTTP/1.0", body=b""), 200),
    Hostile("noise", bytes(range(256)) * 4, 400),
]
METHODS = [
    Hostile("GET of a question", request("GET", f"/chat?query={CANARY}"), 405),
    Hostile("HEAD of a question", request("HEAD", "/chat"), 405),
    Hostile("HEAD of a probe", request("HEAD", "/health"), 200),
    Hostile("PUT", request("PUT", "/chat", QUERY), 405),
    Hostile("PATCH", request("PATCH", "/chat", QUERY, "Content-Type: application/json"), 405),
    Hostile("DELETE with a body", request("DELETE", "/chat", QUERY), 405),
    Hostile("TRACE", request("TRACE", "/chat", b"", f"X-A: {CANARY}"), 405),
    Hostile("OPTIONS", request("OPTIONS", "/chat"), 405),
    Hostile("OPTIONS of everything", request("OPTIONS", "*"), 404),
    Hostile("PROPFIND", request("PROPFIND", "/chat"), 405),
    Hostile("CONNECT", request("CONNECT", f"{CANARY}.example:443"), 400),
    Hostile("a method in lower case", request("post", "/chat", QUERY), 400),
    Hostile("a method nobody knows", request(CANARY.upper(), "/chat"), 400),
    Hostile("a question in the address alone", asking(b"", target=f"/chat?query={CANARY}"), 422),
]
NAMES = [
    Hostile("a host with a path", request("GET", "/health", host=f"h/{CANARY}"), 400),
    Hostile("a host with a login", request("GET", "/health", host=f"{CANARY}@h"), 400),
    Hostile("a host with a space", request("GET", "/health", host=f"h {CANARY}"), 400),
    Hostile("a host with a question mark", request("GET", "/health", host=f"h?{CANARY}"), 400),
    Hostile("a host beyond ASCII", request("GET", "/health", host=f"{CANARY}\udcff"), 400),
    Hostile("a host of 7 KB", request("GET", "/health", host="h" * 7_000), 200),
    Hostile("a header of 40 KB", request("GET", "/health", b"", f"X-A: {CANARY}{'a' * 40_000}"), 431),
    Hostile("a header's name of 40 KB", request("GET", "/health", b"", f"{CANARY}{'a' * 40_000}: a"), 431),
    Hostile("a header of 16 MB", request("GET", "/health", b"", "X-A: " + "a" * 16_000_000), 431),
    Hostile("101 headers", request("GET", "/health", b"", *(f"X-{number}: {CANARY}" for number in range(100))), 431),
    Hostile("100 headers", request("GET", "/health", b"", *(f"X-{number}: {CANARY}" for number in range(99))), 200),
    Hostile("40 headers of 1 KB", request("GET", "/health", b"", *(f"X-{number}: {'a' * 1_000}" for number in range(40))), 431),
    Hostile("40 cookies of 1 KB", request("GET", "/health", b"", *[f"Cookie: {CANARY}={'a' * 1_000}"] * 40), 431),
    Hostile("an empty header", request("GET", "/health", b"", "X-A:"), 200),
    Hostile("a header without a name", request("GET", "/health", b"", f": {CANARY}"), 400),
    Hostile("a header of spaces", request("GET", "/health", b"", "X-A: " + " " * 1_000), 200),
    Hostile("DEL in a header", request("GET", "/health", b"", f"X-A: {CANARY}\x7f"), 400),
    Hostile("a bare carriage return in a header", request("GET", "/health", b"", f"X-A: a\rX-B: {CANARY}"), 400),
    Hostile("a tab in a header", request("GET", "/health", b"", f"X-A: a\t{CANARY}"), 200),
    Hostile("a header folded by a tab", request("GET", "/health", b"", "X-A: a", f"\t{CANARY}"), 400),
    Hostile("a first header that is folded", request("GET", "/health", b"").replace(b"Host", b" Host"), 400),
    Hostile("an address of 8 KiB and one", request("GET", "/" + "a" * 8192), 414),
    Hostile("a query of 9 KB", request("GET", f"/health?{CANARY}=" + "a" * 9_000), 414),
    Hostile("a query of 8 KB", request("GET", f"/health?{CANARY}=" + "a" * 8_000), 200),
    Hostile("an address beyond ASCII", request("GET", f"/{CANARY}\udcff"), 400),
    Hostile("an address with NUL", request("GET", f"/{CANARY}\x00"), 400),
    Hostile("an address with a space", request("GET", f"/{CANARY} /health"), 400),
    Hostile("no address", b"GET  HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    Hostile("no slash", request("GET", CANARY), 400),
    Hostile("a fragment", request("GET", f"/health#{CANARY}"), 200),
    Hostile("HTTP/0.9", b"GET /health\r\n\r\n", 400),
    Hostile("HTTP/1.2", _raw("GET /health HTTP/1.2", "Host: h", body=b""), 400),
    Hostile("HTTP/2.0", _raw("GET /health HTTP/2.0", "Host: h", body=b""), 400),
    Hostile("HTTP in lower case", _raw("GET /health http/1.1", "Host: h", body=b""), 400),
    Hostile("an upgrade to h2c", request("GET", "/health", b"", "Connection: Upgrade, HTTP2-Settings", *(
        "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
    )), 200),
    Hostile("an upgrade of a question", asking(QUERY, "Connection: Upgrade", f"Upgrade: {CANARY}"), 422),  # no body
    Hostile("blank lines before it", b"\r\n" * 100 + request("GET", "/health"), 200),
    Hostile("an expectation nobody meets", asking(QUERY, f"Expect: {CANARY}"), 200),
    Hostile("a reset stream of HTTP/2", b"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x08" * 20, 400),
    Hostile("the mail protocol", b"EHLO example\r\nMAIL FROM:<a@b>\r\n", 400),
    Hostile("the protocol of Redis", b"*1\r\n$4\r\nPING\r\n", 400),
    Hostile("the protocol of proxies", b"PROXY TCP4 6.6.6.6 7.7.7.7 1 2\r\n" + request("GET", "/health"), 400),
    Hostile("SSH", b"SSH-2.0-OpenSSH_9.9\r\n", 400),
    Hostile("a megabyte of NUL", b"\x00" * 1_000_000, 400),
    Hostile("a trailer of 40 KB", _chunked(b"17\r\n" + QUERY + b"\r\n0\r\nX-A: " + b"a" * 40_000 + b"\r\n\r\n"), 431),
    Hostile("an extension of a chunk without an end", _chunked(b"17;" + b"a" * 1_000_000), 413),
    Hostile("a chunk larger than it says", _chunked(b"5\r\n" + QUERY + b"\r\n0\r\n\r\n"), 400),
    Hostile("a chunk without an end of line", _chunked(b"17\r\n" + QUERY + b"0\r\n\r\n"), 400),
    Hostile("chunks of line feeds", _chunked(b"17\n" + QUERY + b"\n0\n\n"), 400),
]  # fmt: skip
ALL = [*BODIES, *HEADERS, *FRAMING, *METHODS, *NAMES]

PATHS = [
    "/../../etc/passwd", "/..%2f..%2fetc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/%252e%252e/etc/passwd",
    "/..\\..\\windows\\win.ini", "/..%5c..%5cwindows%5cwin.ini", "/....//....//etc/passwd", "/..;/..;/etc/passwd",
    "/_demo/../../config.py", "/_demo/..%2fmain.py", "/_demo/%2e%2e/%2e%2e/.env", "/_demo/", "/_demo", "/_demo//chat.js",
    "/_demo/chat.js%00.html", "/_demo/chat.js/", "/_demo/.env", "/docs/../.env", "/docs/..%2f..%2f.env", "/docs/install.md",
    "/docs/install/../../.env", "/docs/install%00", "/docs//install", "//etc/passwd", "///", "/.env", "/.git/config",
    "/backend/.env", "/%00", "/%0d%0aSet-Cookie:%20a=b", "/%ff%fe", "/%c0%ae%c0%ae/", "/%", "/%zz", "/chat/../health",
    "/health/..", "/health/%2e%2e/chat", "/./health", "/chat;a=b", "/Health", "/health%20", "/health/live/",
    "/file:///etc/passwd", "/http://evil.example/", "/" + "9" * 5000, "/" + "a/" * 2000, "/wp-login.php", "/metrics",
    "/openapi.json/..", "/api/../.env", "/docs/%D9%A1", "/~root", "/proc/self/environ",
]  # fmt: skip
"""Ways out of where one may read, and to what isn't there."""
