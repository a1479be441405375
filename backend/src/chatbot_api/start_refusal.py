"""Says on stderr why the service does not start."""

import sys

from chatbot_api.errors import StartRefused


def print_refusal(refused: StartRefused) -> None:
    """Every problem on a line of its own."""
    lines = [f"chatbot_api does not start, {len(refused.problems)} problem(s):", *(f"  - {text}" for text in refused.problems)]
    sys.stderr.write("\n".join(lines) + "\n")
