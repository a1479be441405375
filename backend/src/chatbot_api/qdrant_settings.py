"""The settings of the way to a Qdrant server."""

from pydantic import Field
from pydantic_settings import BaseSettings


class QdrantSettings(BaseSettings):
    """A part of Settings."""

    qdrant_grpc_port: int = Field(
        default=0, ge=0, le=65535, description="Port of the Qdrant server's gRPC, usually 6334: searches go by it. 0: by REST."
    )

    def qdrant_problems(self, *, qdrant_host: str, has_key: bool) -> list[str]:
        """What is set for a server that is none, a sentence each."""
        given = {"QDRANT_API_KEY": has_key, "QDRANT_GRPC_PORT": bool(self.qdrant_grpc_port)}
        return [
            f"{name} is set but QDRANT_HOST is empty; set both, or neither for the embedded index."
            for name, is_given in given.items()
            if is_given and not qdrant_host
        ]
