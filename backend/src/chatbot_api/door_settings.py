"""The settings of the doors beside the project's own API: which protocols are served, and what they may do."""

from pathlib import Path
from re import fullmatch
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode


class DoorSettings(BaseSettings):
    """A part of Settings."""

    chatkit_enabled: bool = Field(default=False, description="Serve the ChatKit protocol at `/chatkit` (extra `chatkit`).")
    mcp_enabled: bool = Field(default=False, description="Serve the Model Context Protocol at `/mcp` (extra `mcp`).")
    mcp_ask_enabled: bool = Field(default=False, description="Offer agents the tool `ask_docs`, which has the model answer.")
    mcp_allowed_hosts: Annotated[list[str], NoDecode] = Field(
        default=[],
        description="Host names that `/mcp` is asked by, beside localhost and SITE_URL's, comma-separated. `*`: any.",
    )
    openai_compat_enabled: bool = Field(default=False, description="Serve OpenAI's chat completions at `/v1`.")
    ai_sdk_enabled: bool = Field(default=False, description="Serve Vercel's AI SDK at `/api/chat`.")
    llms_txt_enabled: bool = Field(default=False, description="Serve `/llms.txt` and each indexed page as Markdown.")
    site_build: Path | None = Field(
        default=None, description="Folder of a built Docusaurus site to serve at `/` in place of the chat page. Unset: none."
    )

    @field_validator("mcp_allowed_hosts", mode="before")
    @classmethod
    def _split_hosts(cls, value: object) -> object:
        return [part.strip().lower() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("mcp_allowed_hosts", mode="after")
    @classmethod
    def _are_hosts(cls, value: list[str]) -> list[str]:
        if not all(host == "*" or fullmatch(r"(?:[a-z0-9._-]+|\[[0-9a-f:]+\])(?::[1-9][0-9]{0,4})?", host) for host in value):
            raise ValueError("write names such as api.example.com or api.example.com:8443, without a scheme or a path")
        return value
