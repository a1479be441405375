"""Peer "LangChain": a chain of the expression language with a Qdrant retriever, as its documentation builds one."""

from langchain_core.documents import Document
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_google_genai import ChatGoogleGenerativeAI, GoogleGenerativeAIEmbeddings
from langchain_qdrant import QdrantVectorStore
from qdrant_client import QdrantClient
from serving import DIMENSIONS, EMBEDDING_MODEL, GEMINI, GENERATIVE_MODEL, KEY, QDRANT, RULES, TOP_K, serve


def joined(documents: list[Document]) -> str:
    """The passages as one text."""
    return "\n\n".join(document.page_content for document in documents)


embeddings = GoogleGenerativeAIEmbeddings(
    model=EMBEDDING_MODEL, google_api_key=KEY, base_url=GEMINI, output_dimensionality=DIMENSIONS
)
store = QdrantVectorStore(
    client=QdrantClient(url=QDRANT, check_compatibility=False), collection_name="langchain", embedding=embeddings
)
model = ChatGoogleGenerativeAI(model=GENERATIVE_MODEL, google_api_key=KEY, base_url=GEMINI)
prompt = ChatPromptTemplate.from_messages([("system", RULES), ("human", "{passages}\n\n{question}")])
retriever = store.as_retriever(search_kwargs={"k": TOP_K})
chain = {"passages": retriever | joined, "question": RunnablePassthrough()} | prompt | model | StrOutputParser()

if __name__ == "__main__":
    serve(chain.ainvoke, chain.astream)
