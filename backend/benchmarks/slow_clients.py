"""1,000 slow connections against the real server: ``python benchmarks/slow_clients.py``.

A third each sends its headers, or its body, a byte a second; the rest asks for answers and never reads them. Prints how long the
server bore each kind, what an honest client's GET /health/live took meanwhile, and what it cost in memory. Ends after 45 seconds.
"""

import argparse
import resource
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / folder) for folder in ("src", "tests")]

from chatbot_api.guarded_http import Limits  # noqa: E402
from held_connections import hold  # noqa: E402
from rounds_of_shutdown import SERVER, started  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=1000)
    connections = parser.parse_args().connections
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 8192), most))
    limits = Limits()
    number = dict.fromkeys(("headers", "body", "readers"), connections // 3 + 1)
    with tempfile.TemporaryDirectory() as folder:
        settings = {"DATA_DIR": folder, "LOG_LEVEL": "error"}
        with started(SERVER, Path(folder), **settings) as (process, url):
            seen = hold(url, process.pid, number, "/openapi.json", "/health/live", limits.stall_s + 15)
    print("| kind | connections | gone after | allowed |\n| --- | --- | --- | --- |")
    allowed = {"headers": limits.header_s, "body": limits.body_s, "readers": limits.stall_s}
    for kind, opened in seen.opened.items():
        print(f"| {kind} | {opened} | {seen.gone_after_s[kind]:.1f} s | {allowed[kind]:.0f} s + 1 s |")
    p50, p99, most_ms = (seen.percentile(share) for share in (0.5, 0.99, 1))
    print(f"\n/health/live meanwhile: {len(seen.live_ms)} asked, {seen.not_answered} not answered,", end=" ")
    print(f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {most_ms:.1f} ms")
    print(f"memory: {seen.rss_before_mib:.0f} MiB before, {seen.rss_most_mib:.0f} MiB at most")
    in_time = all(seen.gone_after_s[kind] <= allowed[kind] + 1 for kind in seen.opened)
    return 0 if in_time and p99 < 100 and not seen.not_answered else 1


if __name__ == "__main__":
    sys.exit(main())
