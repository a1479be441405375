"""Entry point: ``python benchmarks/speed VERB``, or ``python -m speed VERB`` with benchmarks/ on the path."""

import sys
from pathlib import Path

# Run as a folder, Python puts the folder itself on the path instead of the one that holds the package.
_BENCHMARKS = Path(__file__).resolve().parents[1]
sys.path[:1] = [str(_BENCHMARKS), str(_BENCHMARKS.parent / "src")]

from speed.command import main  # noqa: E402 - it needs that path

if __name__ == "__main__":
    sys.exit(main())
