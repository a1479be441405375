"""The verb ``probe``: how a collection on a Qdrant server would be read, whether our model made its vectors, what it lacks."""

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from math import sqrt
from typing import Any, cast

from qdrant_client import AsyncQdrantClient, models

from chatbot_api.config import Settings
from chatbot_api.engines import foreign_keys_of, provider_of
from chatbot_api.errors import DeadlineExceeded, IndexMismatch, ModelError
from chatbot_api.models.index_models import IndexMarker, Passage
from chatbot_api.reliability import Deadline
from chatbot_api.services.foreign_fields import first_id
from chatbot_api.services.foreign_index import sparse_of, vectors_of
from chatbot_api.services.foreign_payload import ForeignKeys, ForeignShape, VectorShape, detect, passage_of
from chatbot_api.services.foreign_shape import FILTER_SETTING
from chatbot_api.services.qdrant_connection import asked, client_of
from chatbot_api.services.qdrant_index_writer import WRITE_TIMEOUT_S
from qdrant_indexer.arguments import EXIT_DONE, EXIT_FOUND_WRONG, EXIT_USAGE
from qdrant_indexer.output import Stopped, write

_SAMPLE = 32
"""Points looked at: enough to tell the maker, and placeholders among the vectors."""
_SEARCHED = 256
"""Points looked through for those of the part that QDRANT_FILTER names."""
_SHOWN = 5
"""Points whose mapping is shown and whose text is embedded again."""
_SHOWN_CHARS = 80
_SAME = 0.98
"""Cosine from which two vectors of a text are of one model; int8 and float weights of a model differ by less."""
_RELATED = 0.8
"""Below it, no difference of task type or of the text's cut explains the distance."""
_EMBED_BUDGET_S = 60.0


@dataclass(frozen=True, slots=True)
class Sample:
    """A collection as the server describes it, and its first points."""

    points: int
    vectors: dict[str, VectorShape]
    sparse: tuple[str, ...]
    marker: IndexMarker | None
    records: Sequence[models.Record]


@dataclass(slots=True)
class Findings:
    """What was found out, in the order it is shown."""

    collection: str
    points: int
    vectors: list[dict[str, Any]]
    sparse: list[str]
    maker: str = ""
    keys: dict[str, Any] = field(default_factory=dict[str, Any])
    mapping: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    model: str = ""
    missing: list[str] = field(default_factory=list[str])
    """Each keeps readers from good answers; none: the collection can be answered from."""


async def probe(settings: Settings, options: Namespace) -> int:
    """Show how the collection would be read. Raises Stopped, SearchError; a provider that fails is told, not raised."""
    if not settings.qdrant_url:
        raise Stopped("probe looks at a Qdrant server: set QDRANT_HOST", EXIT_USAGE)
    name = options.collection or settings.qdrant_collection_name
    async with AsyncExitStack() as stack:
        client = client_of(settings.qdrant_url, settings.qdrant_api_key.get_secret_value(), WRITE_TIMEOUT_S)
        stack.push_async_callback(client.close)
        keys = foreign_keys_of(settings)
        sample = await _sample(client, name, keys)
        found = Findings(name, sample.points, [asdict(one) for one in sample.vectors.values()], list(sample.sparse))
        if sample.points == 0:
            found.missing.append("0 POINTS: the collection is empty; whatever filled it failed, or filled another one")
        elif not sample.records:
            found.missing.append(f"none of the first {_SEARCHED} points has what {FILTER_SETTING} names")
        else:
            await _look(settings, sample, keys, found)
    if options.json:
        write(json.dumps(asdict(found), ensure_ascii=False))
    else:
        for line in _words(found):
            write(line)
    return EXIT_FOUND_WRONG if found.missing else EXIT_DONE


async def _sample(client: AsyncQdrantClient, name: str, keys: ForeignKeys) -> Sample:
    info = await asked(lambda: client.get_collection(name))
    limit = _SEARCHED if keys.only else _SAMPLE
    records, _ = await asked(lambda: client.scroll(name, limit=limit, with_payload=True, with_vectors=True))
    wanted = [one for one in records if all(first_id(one.payload or {}, (path,)) == value for path, value in keys.only)]
    return Sample(
        points=(await asked(lambda: client.count(name, exact=True))).count,
        vectors=vectors_of(info),
        sparse=tuple(sparse_of(info)),
        marker=IndexMarker.read(dict(info.config.metadata or {})),
        records=wanted[:_SAMPLE],
    )


async def _look(settings: Settings, sample: Sample, keys: ForeignKeys, found: Findings) -> None:
    """Fill in everything that needs points."""
    try:
        shape = detect(sample.vectors, sample.sparse, [record.payload or {} for record in sample.records], keys)
    except IndexMismatch as error:
        found.missing.append(error.cause)
        return
    found.maker = "this indexer" if sample.marker else shape.maker
    found.keys = _keys(shape, sample.records)
    passages = [passage_of(str(record.id), record.payload, shape) for record in sample.records]
    read = [(record, passage) for record, passage in zip(sample.records, passages, strict=True) if passage is not None]
    found.mapping = [_mapped(passage) for _, passage in read[:_SHOWN]]
    found.missing += _lacks([passage for _, passage in read], len(sample.records))
    vectors = [(_vector(record, shape.vector.name), passage) for record, passage in read]
    known = [(vector, passage) for vector, passage in vectors if vector]
    found.missing += _placeholders(known)
    found.model, fault = await _model(settings, shape, known[:_SHOWN])
    found.missing += [fault] if fault else []


def _keys(shape: ForeignShape, records: Sequence[models.Record]) -> dict[str, Any]:
    """The places that are tried and at least one point has, by what they hold."""
    names = ("text_keys", "url_keys", "path_keys", "slug_keys", "title_keys", "section_keys")
    payloads = [record.payload or {} for record in records]
    there: dict[str, Any] = {
        name.removesuffix("_keys"): [key for key in getattr(shape, name) if any(_has(one, key) for one in payloads)]
        for name in names
    }
    single = {"order": shape.order_key, "locale": shape.locale_key, "version": shape.version_key}
    return {**there, **{name: [key] for name, key in single.items() if key}}


def _has(payload: Mapping[str, Any], path: str) -> bool:
    value: Any = payload
    for part in path.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return False
        value = cast("Mapping[str, Any]", value)[part]
    return value not in (None, "")


def _mapped(passage: Passage) -> dict[str, str]:
    return {
        "text": " ".join(passage.text.split())[:_SHOWN_CHARS],
        "url": f"{passage.url}#{passage.anchor}" if passage.anchor else passage.url,
        "title": passage.title,
        "section": " > ".join(passage.heading_path),
    }


def _lacks(passages: Sequence[Passage], looked_at: int) -> list[str]:
    lacks: list[str] = []
    if len(passages) < looked_at:
        lacks.append(f"{looked_at - len(passages)} of the {looked_at} points looked at have no text; they are passed over")
    if without := sum(not passage.url for passage in passages):
        lacks.append(f"{without} of {len(passages)} passages have no address a reader could open: they can't be linked")
    texts = {(passage.url, passage.text) for passage in passages}
    if len(texts) < len(passages):
        lacks.append(f"{len(passages) - len(texts)} of {len(passages)} passages are there twice: the collection was filled again")
    return lacks


def _vector(record: models.Record, name: str) -> list[float]:
    held: Any = record.vector
    vector = held.get(name) if isinstance(held, dict) else held  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return cast("list[float]", vector) if isinstance(vector, list) and all(isinstance(one, float | int) for one in vector) else []  # pyright: ignore[reportUnknownVariableType]


def _placeholders(known: Sequence[tuple[list[float], Passage]]) -> list[str]:
    """Vectors that no embedding model gives."""
    faults: list[str] = []
    if constant := sum(max(vector) - min(vector) < 1e-6 for vector, _ in known):
        faults.append(f"{constant} of {len(known)} vectors are constant: they are placeholders, no embeddings")
    if padded := sum(any(vector) and not any(vector[len(vector) // 4 :]) for vector, _ in known):
        faults.append(f"{padded} of {len(known)} vectors are filled up with zeros: they are placeholders, no embeddings")
    pairs = combinations([(vector, passage.text) for vector, passage in known], 2)
    if same := sum(one != other and first == second for (first, one), (second, other) in pairs):
        faults.append(f"{same} pairs of different texts have the same vector")
    return faults


async def _model(settings: Settings, shape: ForeignShape, known: Sequence[tuple[list[float], Passage]]) -> tuple[str, str]:
    """What is to be said of the configured embedding model; and the fault, when it did not make the vectors."""
    stamp = f"; the points say they were embedded by {shape.embedding_model}" if shape.embedding_model else ""
    async with AsyncExitStack() as stack:
        model = provider_of(settings)
        stack.push_async_callback(model.close)
        ours = model.embedder
        if not ours.dimensions:
            return f"not compared: the settings embed nothing{stamp}", ""
        if ours.dimensions != shape.vector.size:
            words = f"{ours.model} gives {ours.dimensions} dimensions, the vectors have {shape.vector.size}"
            return f"{words}{stamp}", f"{words}: set EMBEDDING_MODEL and EMBEDDING_DIMENSIONS to what made them, or index anew"
        try:
            cosines = await _cosines(model, known)
        except (ModelError, IndexMismatch, DeadlineExceeded) as error:
            return f"not compared: the embedding provider failed, {error.title} ({error.cause}){stamp}", ""
    words, fault = _verdict(ours.model, cosines)
    return f"{words}{stamp}", fault


def _verdict(model: str, cosines: Sequence[float]) -> tuple[str, str]:
    if not cosines:
        return "not compared: no vector could be read", ""
    middle = sorted(cosines)[len(cosines) // 2]
    words = f"{model} gives the stored vectors with a cosine of {middle:.3f} (median of {len(cosines)} texts)"
    if middle >= _SAME:
        return f"{words}: it made them", ""
    if middle >= _RELATED:
        return f"{words}: it probably made them, of a slightly different text or for another task", ""
    return f"{words}: it did not make them", f"the vectors are not {model}'s: set EMBEDDING_MODEL to their model, or index anew"


async def _cosines(model: Any, known: Sequence[tuple[list[float], Passage]]) -> list[float]:
    """Of each stored vector and what the model makes of its text: the text alone or below its headings, whichever is nearer."""
    if not known:
        return []
    passages = [passage for _, passage in known]
    bare = [replace(passage, title="", heading_path=()) for passage in passages]
    made: list[list[float]] = await model.embed_passages([*passages, *bare], Deadline(_EMBED_BUDGET_S))
    pairs = zip(made[: len(known)], made[len(known) :], strict=True)
    return [max(_cosine(vector, one), _cosine(vector, other)) for (vector, _), (one, other) in zip(known, pairs, strict=True)]


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    lengths = sqrt(sum(a * a for a in one)) * sqrt(sum(b * b for b in other))
    return sum(a * b for a, b in zip(one, other, strict=True)) / lengths if lengths else 0.0


def _words(found: Findings) -> list[str]:
    lines = [f"collection {found.collection}: {found.points} points"]
    lines += [f"  vector {one['name'] or '(unnamed)'}: {one['size']} dimensions, {one['distance']}" for one in found.vectors]
    lines += [f"  sparse vector {name}" for name in found.sparse]
    lines += [f"made by: {found.maker}"] if found.maker else []
    lines += [f"  {what}: {', '.join(keys) or 'nowhere'}" for what, keys in found.keys.items()]
    for number, one in enumerate(found.mapping, start=1):
        lines += [f"point {number}: {one['text']}"]
        lines += [f"  {what}: {one[what] or '-'}" for what in ("url", "title", "section")]
    lines += [f"embedding model: {found.model}"] if found.model else []
    lines += [f"MISSING: {one}" for one in found.missing]
    return lines if found.missing else [*lines, "nothing is missing"]
