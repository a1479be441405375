"""The settings of the doors beside the project's own API: which protocols are served, and what they may do."""

from pydantic import Field
from pydantic_settings import BaseSettings


class DoorSettings(BaseSettings):
    """A part of Settings."""

    chatkit_enabled: bool = Field(default=False, description="Serve the ChatKit protocol at `/chatkit` (extra `chatkit`).")
