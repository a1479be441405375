"""The settings of what is remembered to answer faster: answers and questions' vectors."""

from pydantic import Field
from pydantic_settings import BaseSettings


class CacheSettings(BaseSettings):
    """A part of Settings."""

    answer_cache_ttl_s: int = Field(
        default=3600,
        ge=0,
        le=7 * 86400,
        description="Seconds an answer to a first question is given to others who ask the same. 0: every reader gets their own.",
    )
    answer_cache_size: int = Field(default=1000, ge=1, le=100_000, description="Such answers kept in memory, some 5 kB each.")
    embedding_cache_size: int = Field(
        default=1000, ge=0, le=100_000, description="Vectors of questions kept in memory, 3 kB each at 768 dimensions."
    )
