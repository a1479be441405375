"""Reads a run of the embedded index from end to end, a page of points at a time."""

from collections.abc import Generator
from math import isclose
from pathlib import Path
from typing import Any

import qdrant_edge as edge

from chatbot_api.models.index_models import StoredPassage, passage_from_payload
from chatbot_api.services.edge_runs import engine, read_marker

_PAGE = 500


def passages_of_run(run: Path, *, vectors: bool) -> Generator[StoredPassage, None, None]:
    """Every passage of a run; without ``vectors`` none is read. Raises SearchError for damaged files."""
    for point in _points(run, vectors=vectors):
        if passage := passage_from_payload(str(point.id), point.payload):
            yield StoredPassage(passage, _dense(point.vector))


def intact_passages_of_run(run: Path) -> Generator[StoredPassage, None, None]:
    """The passages of a run that was broken off, with vectors: those that are whole. Raises SearchError for damaged files."""
    for point in _points(run, vectors=True):
        passage, vector = passage_from_payload(str(point.id), point.payload), _dense(point.vector)
        if passage is None or vector is None or point.payload.get("content_hash") != passage.content_hash:
            continue
        # The engine keeps unit vectors; a page of its files that was never written holds noughts.
        if isclose(sum(value * value for value in vector), 1.0, abs_tol=1e-3):
            yield StoredPassage(passage, vector)


def passages_held(run: Path) -> int:
    """How many passages a run holds: what it was published with, else what is counted. Raises SearchError for damaged files."""
    published = read_marker(run)[1]
    if published is not None:
        return published
    shard = engine(edge.EdgeShard.load, str(run / "shard"))
    try:
        return engine(shard.count, edge.CountRequest(exact=True))
    finally:
        shard.close()


def _points(run: Path, *, vectors: bool) -> Generator[Any, None, None]:
    shard = engine(edge.EdgeShard.load, str(run / "shard"))
    try:
        offset = None
        while True:
            request = edge.ScrollRequest(offset=offset, limit=_PAGE, with_payload=True, with_vector=vectors)
            points, offset = engine(shard.scroll, request)
            yield from points
            if offset is None:
                return
    finally:
        shard.close()


def _dense(vector: object) -> list[float] | None:
    values = vector.get("dense") if isinstance(vector, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    return [float(value) for value in values] if isinstance(values, list) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
