"""Every setting of the service: name, default, meaning. Read from the environment and ``backend/.env``, checked at start."""

from pathlib import Path
from re import fullmatch
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from chatbot_api.cache_settings import CacheSettings
from chatbot_api.door_settings import DoorSettings
from chatbot_api.errors import StartRefused
from chatbot_api.limit_settings import LimitSettings
from chatbot_api.model_settings import ModelSettings
from chatbot_api.models.addresses import fault_of, is_database, is_origin
from chatbot_api.process_settings import ProcessSettings
from chatbot_api.qdrant_settings import QdrantSettings

_BACKEND = Path(__file__).resolve().parents[2]


SHORTEST_SECRET = 32


def _data_dir() -> Path:
    in_checkout = (_BACKEND / "pyproject.toml").is_file()
    return _BACKEND / "data" if in_checkout else Path("data")


class Settings(CacheSettings, ModelSettings, DoorSettings, LimitSettings, ProcessSettings, QdrantSettings):
    """The service's settings, frozen. Construct by ``load_settings``, which turns every problem into one refusal."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, validate_default=True, str_strip_whitespace=True
    )

    # Where the passages are
    qdrant_host: str = Field(default="", description="URL or host name of a Qdrant server. Empty: the embedded index.")
    qdrant_api_key: SecretStr = Field(default=SecretStr(""), description="Key of the Qdrant server; a read-only one serves.")
    qdrant_collection_name: str = Field(
        default="docs",
        pattern=r"^[A-Za-z0-9_.-]{1,200}$",
        description="Name the live collection goes by: an alias that the indexer keeps.",
    )
    qdrant_vector_name: str | None = Field(
        default=None, description="Another tool's collection: name of its dense vector, when it has several."
    )
    qdrant_text_key: str = Field(default="", description="Another tool's collection: payload key of the text. Empty: found out.")
    qdrant_url_key: str = Field(
        default="", description="Another tool's collection: key of the address or file. Empty: found out."
    )
    qdrant_title_key: str = Field(default="", description="Another tool's collection: key of the title. Empty: found out.")
    qdrant_section_key: str = Field(default="", description="Another tool's collection: key of the heading. Empty: found out.")
    qdrant_filter: Annotated[dict[str, str], NoDecode] = Field(
        default={}, description="Another tool's collection: `key=value`, comma-separated, that a point must have to be read."
    )
    data_dir: Path = Field(default_factory=_data_dir, description="Folder of the embedded index. Default: `backend/data`.")

    # How they are searched
    top_k: int = Field(default=5, ge=3, le=20, description="Passages an answer is written from.")
    rrf_k: int = Field(default=5, ge=1, le=1000, description="Constant of reciprocal rank fusion; smaller trusts the top more.")
    relevance_gate: float | None = Field(
        default=None, ge=-1, le=5, description="Lowest relevance that counts as found. Unset: the embedding model's own."
    )
    bm25_language: str = Field(
        default="english", min_length=1, description="Language of stemming and stop words in the lexical search."
    )

    # The site
    site: str = Field(
        default="docs", min_length=1, max_length=100, description="Name of this site in the index: the scope of every search."
    )
    site_title: str = Field(default="the documentation", max_length=200, description="How answers name the documentation.")
    site_url: str = Field(
        default="", description="Base of the links, `https://docs.example.com`. Empty: links relative to the host."
    )
    demo_docs: Path | None = Field(
        default=None, description="Markdown folder to show as pages beside the demo page. Unset: no pages."
    )
    demo_page: bool = Field(default=True, description="Serve the chat page at `/`.")

    # Conversations
    database_url: SecretStr = Field(
        default=SecretStr(""), description="`postgresql://user:password@host/name`. Empty: a SQLite file in DATA_DIR."
    )
    conversation_ttl_days: int = Field(
        default=30, ge=1, le=3650, description="Days a conversation is kept after its last question; then it is removed."
    )
    store_questions: bool = Field(
        default=True,
        description="Keep questions (personal data masked) and answers. `false`: keep outcomes and sources alone.",
    )
    store_timeout_s: float = Field(
        default=2.0, gt=0, le=30, description="Seconds the database may take; then the answer goes on without history."
    )
    history_tokens: int = Field(default=1000, ge=0, le=20000, description="Tokens of earlier turns the model is given, at most.")
    follow_up_timeout_s: float = Field(
        default=1.5, gt=0, le=30, description="Seconds the model may take to understand a follow-up; then rules do it."
    )
    migrate_at_start: bool = Field(
        default=True, description="Bring the database's tables up to date at start. `false`: by `make migrate` alone."
    )
    visitor_cookie_secret: SecretStr = Field(
        default=SecretStr(""), description="At least 32 characters: visitors are known by a signed cookie too. Empty: no cookie."
    )

    # The server
    host: str = Field(default="127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on.")
    cors_origins: Annotated[list[str], NoDecode] = Field(
        default=["http://localhost:3000"], description="Exact origins of the sites that may ask, comma-separated."
    )
    cors_allow_credentials: bool = Field(default=False, description="Let those origins send cookies.")
    embed_timeout_s: float = Field(
        default=1.5, gt=0, le=60, description="Seconds embedding a question may take; then the search goes on by words alone."
    )
    deadline_s: float = Field(default=10.0, gt=0, le=120, description="Seconds an answer may take in all.")
    search_timeout_s: float = Field(default=1.5, gt=0, le=60, description="Seconds one call of the search engine may take.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="Least severe log line to write.")
    api_docs: bool = Field(default=True, description="Serve the API reference at `/api` and `/openapi.json`.")

    @field_validator("qdrant_filter", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        wanted = {key.strip(): value.strip() for key, _, value in pairs}
        if not all(key and value for key, value in wanted.items()) or len(wanted) < len(pairs):
            raise ValueError("write key=value with one value for each key, several pairs separated by commas")
        return wanted

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator(
        "gemini_api_key", "qdrant_api_key", "database_url", "visitor_cookie_secret", "limits_url", "site_key", mode="before"
    )
    @classmethod
    def _strip_key(cls, value: object) -> object:
        return value.strip() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _no_contradictions(self) -> Self:
        problems = [
            *self.provider_problems(),
            *self._key_problems(),
            *self.qdrant_problems(qdrant_host=self.qdrant_host, has_key=bool(self.qdrant_api_key.get_secret_value())),
            *self._address_problems(),
            *self._conversation_problems(),
            *self._cors_problems(),
            *self.limit_problems(),
            *self.process_problems(
                qdrant_host=self.qdrant_host,
                database_url=self.database_url.get_secret_value(),
                counts_alone=self.counts_alone,
            ),
        ]
        if problems:
            raise StartRefused(problems)
        return self

    def _key_problems(self) -> list[str]:
        keys = {"GEMINI_API_KEY": self.gemini_api_key, "QDRANT_API_KEY": self.qdrant_api_key}
        return [
            f"{name} holds white space or other characters that no key has; paste it again."
            for name, key in keys.items()
            if not fullmatch("[!-~]*", key.get_secret_value())
        ]

    def _address_problems(self) -> list[str]:
        host = self.qdrant_host
        addresses = {
            "SITE_URL": self.site_url,
            "GEMINI_BASE_URL": self.gemini_base_url,
            "QDRANT_HOST": host if not host or "://" in host else f"http://{host}",
        }
        problems = [f"{name} {fault}." for name, address in addresses.items() if (fault := fault_of(address))]
        if self.data_dir.exists() and not self.data_dir.is_dir():
            problems.append("DATA_DIR is no folder; name a folder, or a path where one can be made.")
        return problems

    def _conversation_problems(self) -> list[str]:
        problems: list[str] = []
        if self.chatkit_enabled and not self.store_questions:
            problems.append("CHATKIT_ENABLED=true keeps threads, and STORE_QUESTIONS=false forbids it; change one of them.")
        if 0 < len(self.visitor_cookie_secret.get_secret_value()) < SHORTEST_SECRET:
            problems.append(f"VISITOR_COOKIE_SECRET is shorter than {SHORTEST_SECRET} characters; make a long random one.")
        if (url := self.database_url.get_secret_value()) and not is_database(url):
            problems.append("DATABASE_URL is no postgresql://user:password@host/name; leave it empty for a SQLite file.")
        return problems

    def _cors_problems(self) -> list[str]:
        problems: list[str] = []
        if "*" in self.cors_origins and self.cors_allow_credentials:
            problems.append("CORS_ORIGINS=* can't go with CORS_ALLOW_CREDENTIALS=true; name the origins.")
        for origin in self.cors_origins:
            if origin != "*" and not is_origin(origin):
                shown = origin.rpartition("@")[2]
                problems.append(
                    f"CORS_ORIGINS: {shown!r} is no origin as browsers send it; write scheme://host[:port] in lower case, "
                    "without a path and without the scheme's own port."
                )
        return problems

    @property
    def qdrant_url(self) -> str:
        """The server's URL with its port (6333 when none is given, as the client itself would add); empty: embedded index."""
        if not self.qdrant_host:
            return ""
        url = self.qdrant_host if "://" in self.qdrant_host else f"http://{self.qdrant_host}"
        scheme, _, rest = url.rstrip("/").partition("://")
        authority, slash, path = rest.partition("/")
        has_port = ":" in authority.rpartition("]")[2]
        return f"{scheme}://{authority}{'' if has_port else ':6333'}{slash}{path}"

    @property
    def sqlite_file(self) -> Path:
        """The conversations' file where no DATABASE_URL is set."""
        return self.data_dir / "conversations.db"

    @property
    def index_dir(self) -> Path:
        """Folder of the embedded index's runs."""
        return self.data_dir / "index"


def load_settings(env_file: Path | None = None, **overrides: Any) -> Settings:
    """Read the environment and ``env_file`` (default ``backend/.env``, then ``./.env``).

    Raises StartRefused with every problem in one list; no value of a secret stands in it.
    """
    files = (env_file,) if env_file else (_BACKEND / ".env", Path(".env"))
    try:
        return Settings(_env_file=files, **overrides)  # pyright: ignore[reportCallIssue]
    except (UnicodeDecodeError, OSError):
        raise StartRefused(["The .env file can't be read as UTF-8 text; save it as UTF-8."]) from None
    except ValidationError as error:
        wrong = {str(item["loc"][0]): item["msg"] for item in error.errors(include_input=False)}
    problems = [f"{name.upper()}: {message}." for name, message in wrong.items()]
    # So that contradictions among the others show too.
    sound = {name: Settings.model_fields[name].get_default(call_default_factory=True) for name in wrong}
    try:
        Settings(_env_file=files, **{**overrides, **sound})  # pyright: ignore[reportCallIssue]
    except StartRefused as refused:
        problems.extend(refused.problems)
    raise StartRefused(problems)
