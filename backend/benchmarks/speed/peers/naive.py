"""Peer "naive": google-generativeai and the synchronous Qdrant client in a plain ``def`` endpoint."""

import google.generativeai as genai
from fastapi import FastAPI
from qdrant_client import QdrantClient
from serving import DIMENSIONS, EMBEDDING_MODEL, GEMINI, GENERATIVE_MODEL, KEY, QDRANT, RULES, TOP_K, Ask, run

genai.configure(api_key=KEY, transport="rest", client_options={"api_endpoint": GEMINI})
model = genai.GenerativeModel(GENERATIVE_MODEL, system_instruction=RULES)
qdrant = QdrantClient(url=QDRANT, check_compatibility=False)
app = FastAPI()


@app.get("/health")
def health() -> dict[str, str]:
    """It answers."""
    return {"status": "ok"}


@app.post("/chat")
def chat(ask: Ask) -> dict[str, str]:
    """A whole answer."""
    embedded = genai.embed_content(
        model=f"models/{EMBEDDING_MODEL}", content=ask.query, task_type="retrieval_query", output_dimensionality=DIMENSIONS
    )
    found = qdrant.query_points("naive", query=embedded["embedding"], limit=TOP_K, with_payload=True)
    passages = "\n\n".join(str((point.payload or {})["text"]) for point in found.points)
    return {"response": model.generate_content(f"{passages}\n\n{ask.query}").text}


if __name__ == "__main__":
    run(app)
