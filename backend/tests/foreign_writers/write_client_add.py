"""Writes the book by ``add`` of qdrant-client 1.18, with a model of its own registered in fastembed."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from book import SIZE, arguments, files, vector_of
from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType
from qdrant_client import QdrantClient

MODEL = "house/Letters-128"


class Letters:
    def passage_embed(self, texts: Iterable[str], **_options: Any) -> Iterator[Any]:
        return (np.array(vector_of(text)) for text in texts)


class Client(QdrantClient):
    """Only the model is another: fastembed's would be downloaded."""

    def _get_or_init_model(self, model_name: str, *_args: Any, **_options: Any) -> Any:
        return Letters()


def main() -> None:
    url, folder = arguments()
    source = ModelSource(hf=MODEL)
    TextEmbedding.add_custom_model(MODEL, pooling=PoolingType.MEAN, normalization=True, sources=source, dim=SIZE)
    client = Client(url=url)
    client.set_model(MODEL)
    paths = files(folder)
    metadata = [{"source": f"docs/{path.relative_to(folder).as_posix()}"} for path in paths]
    client.add("client-add", [path.read_text(encoding="utf-8") for path in paths], metadata)


if __name__ == "__main__":
    main()
