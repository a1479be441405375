"""The settings of the language model: whose it is, which one, through what, and what happens when it fails."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

RETIRED_GENERATIVE_MODELS = ("gemini-pro", "gemini-1.0", "gemini-1.5", "gemini-2.0", "gemini-2.5")


class ModelSettings(BaseSettings):
    """A part of Settings."""

    gemini_api_key: SecretStr = Field(default=SecretStr(""), description="Key of the Gemini API. Empty: offline mode.")
    provider: Literal["auto", "gemini", "offline"] = Field(
        default="auto", description="`auto`: Gemini when a key is set, else offline. `gemini` refuses to start without a key."
    )
    gemini_sdk: Literal["google-genai", "google-generativeai"] = Field(
        default="google-genai",
        description="Who calls Gemini: REST and `google-genai` for batches, or `google-generativeai` with extra requirements.",
    )
    generative_model: str = Field(
        default="gemini-3.5-flash-lite", min_length=1, description="Gemini model that writes the answers."
    )
    thinking_level: str = Field(
        default="minimal",
        min_length=1,
        description="Thinking level sent to the model; `none` sends nothing (for models without levels).",
    )
    temperature: float | None = Field(default=None, ge=0, le=2, description="Sampling temperature; unset: the model's own.")
    first_text_timeout_s: float = Field(
        default=6.0,
        gt=0,
        le=120,
        description="Seconds the model may take to its first text; then the extractive answer is given.",
    )
    max_output_tokens: int = Field(default=400, ge=16, le=8192, description="Longest answer, in tokens, thinking included.")
    embedding_model: str = Field(
        default="gemini-embedding-001", min_length=1, description="Gemini model that embeds questions and passages."
    )
    embedding_dimensions: int = Field(default=768, ge=128, le=3072, description="Length of a Gemini vector: 768, 1536 or 3072.")
    gemini_base_url: str = Field(default="", description="Another address for the Gemini API (proxy or gateway).")
    on_model_failure: Literal["extractive", "error"] = Field(
        default="extractive", description="When the model fails: answer with the passages themselves, or with an error."
    )
    local_embedder: bool = Field(default=True, description="Offline: embed with the local model. `false`: search by words alone.")

    def provider_problems(self) -> list[str]:
        """What contradicts itself or is no longer served, a sentence each."""
        problems: list[str] = []
        if self.provider == "gemini" and not self.gemini_api_key.get_secret_value():
            problems.append("PROVIDER=gemini needs GEMINI_API_KEY; set it, or set PROVIDER=offline to run without a key.")
        if self.generative_model.removeprefix("models/").startswith(RETIRED_GENERATIVE_MODELS):
            problems.append(
                f"GENERATIVE_MODEL={self.generative_model} is retired; use gemini-3.5-flash-lite or another current model."
            )
        return problems

    @property
    def effective_provider(self) -> Literal["gemini", "offline"]:
        """Who answers, once ``auto`` is decided."""
        if self.provider != "auto":
            return self.provider
        return "gemini" if self.gemini_api_key.get_secret_value() else "offline"
