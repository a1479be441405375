"""Peer "Haystack": a pipeline of embedder, Qdrant retriever, prompt builder and generator, as its documentation builds one."""

import os

from haystack import Pipeline
from haystack.components.builders import ChatPromptBuilder
from haystack.dataclasses import ChatMessage
from haystack.utils import Secret
from haystack_integrations.components.embedders.google_genai import GoogleGenAITextEmbedder
from haystack_integrations.components.generators.google_genai import GoogleGenAIChatGenerator
from haystack_integrations.components.retrievers.qdrant import QdrantEmbeddingRetriever
from haystack_integrations.document_stores.qdrant import QdrantDocumentStore
from serving import DIMENSIONS, EMBEDDING_MODEL, GEMINI, GENERATIVE_MODEL, KEY, QDRANT, RULES, TOP_K, serve

os.environ["GOOGLE_GEMINI_BASE_URL"] = GEMINI  # the components take no address
secret = Secret.from_token(KEY)
embedder = GoogleGenAITextEmbedder(api_key=secret, model=EMBEDDING_MODEL, config={"output_dimensionality": DIMENSIONS})
store = QdrantDocumentStore(url=QDRANT, index="haystack", embedding_dim=DIMENSIONS)
template = [
    ChatMessage.from_system(RULES),
    ChatMessage.from_user("{% for document in documents %}{{ document.content }}\n\n{% endfor %}{{ question }}"),
]
pipeline = Pipeline()
pipeline.add_component("embedder", embedder)
pipeline.add_component("retriever", QdrantEmbeddingRetriever(document_store=store, top_k=TOP_K))
pipeline.add_component("builder", ChatPromptBuilder(template=template, required_variables=["documents", "question"]))
pipeline.add_component("model", GoogleGenAIChatGenerator(api_key=secret, model=GENERATIVE_MODEL))
pipeline.connect("embedder.embedding", "retriever.query_embedding")
pipeline.connect("retriever.documents", "builder.documents")
pipeline.connect("builder.prompt", "model.messages")


async def answer(query: str) -> str:
    """A whole answer."""
    made = await pipeline.run_async({"embedder": {"text": query}, "builder": {"question": query}})
    return made["model"]["replies"][0].text


if __name__ == "__main__":
    serve(answer)
