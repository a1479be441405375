"""Every setting from the environment and from a .env file; every contradiction refused, in words, without a secret."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from chatbot_api.config import Settings, load_settings
from chatbot_api.errors import StartRefused
from chatbot_api.model_settings import RETIRED_GENERATIVE_MODELS
from chatbot_api.wiring import open_services

CANARY = "canary-key-0123456789-never-shown"
GIVEN: dict[str, tuple[str, Any]] = {
    "gemini_api_key": (CANARY, SecretStr(CANARY)),
    "provider": ("offline", "offline"),
    "gemini_sdk": ("google-generativeai", "google-generativeai"),
    "generative_model": ("gemini-9-flash", "gemini-9-flash"),
    "thinking_level": ("none", "none"),
    "temperature": ("0.5", 0.5),
    "first_text_timeout_s": ("3.5", 3.5),
    "max_output_tokens": ("800", 800),
    "embedding_model": ("gemini-embedding-2", "gemini-embedding-2"),
    "embedding_dimensions": ("1536", 1536),
    "gemini_base_url": ("https://proxy.example/gemini", "https://proxy.example/gemini"),
    "on_model_failure": ("error", "error"),
    "local_embedder": ("false", False),
    "qdrant_host": ("https://qdrant.example", "https://qdrant.example"),
    "qdrant_api_key": (f"  {CANARY}-q\t", SecretStr(f"{CANARY}-q")),
    "qdrant_collection_name": ("book_content", "book_content"),
    "qdrant_vector_name": ("text-dense", "text-dense"),
    "qdrant_text_key": ("body.text", "body.text"),
    "qdrant_url_key": ("metadata.source", "metadata.source"),
    "qdrant_title_key": ("metadata.title", "metadata.title"),
    "qdrant_section_key": ("metadata.heading", "metadata.heading"),
    "qdrant_filter": (" tenant_id = kb-1 ,,metadata.lang=en", {"tenant_id": "kb-1", "metadata.lang": "en"}),
    "answer_cache_ttl_s": ("60", 60),
    "answer_cache_size": ("50", 50),
    "embedding_cache_size": ("0", 0),
    "data_dir": ("some/folder", Path("some/folder")),
    "top_k": ("8", 8),
    "rrf_k": ("60", 60),
    "relevance_gate": ("0.4", 0.4),
    "bm25_language": ("german", "german"),
    "site": ("handbook", "handbook"),
    "site_title": ("the Example handbook", "the Example handbook"),
    "site_url": ("https://docs.example.com", "https://docs.example.com"),
    "demo_docs": ("website/docs", Path("website/docs")),
    "demo_page": ("0", False),
    "site_build": ("website/build", Path("website/build")),
    "database_url": (
        " postgresql://ask:secret@db.example.com/ask_ai ",
        SecretStr("postgresql://ask:secret@db.example.com/ask_ai"),
    ),
    "conversation_ttl_days": ("7", 7),
    "store_questions": ("false", False),
    "store_timeout_s": ("0.5", 0.5),
    "history_tokens": ("0", 0),
    "follow_up_timeout_s": ("0.8", 0.8),
    "migrate_at_start": ("no", False),
    "visitor_cookie_secret": (f"{CANARY}-cookie-0123456789", SecretStr(f"{CANARY}-cookie-0123456789")),
    "chatkit_enabled": ("1", True),
    "mcp_enabled": ("true", True),
    "mcp_ask_enabled": ("on", True),
    "mcp_allowed_hosts": (" ask.example.com ,,API.example.com:8443", ["ask.example.com", "api.example.com:8443"]),
    "openai_compat_enabled": ("yes", True),
    "ai_sdk_enabled": ("1", True),
    "llms_txt_enabled": ("on", True),
    "rate_limit_per_visitor": (" 5/second;50/hour ", "5/second;50/hour"),
    "rate_limit_per_address": ("none", "none"),
    "limits_url": (f" redis://:{CANARY}@limits.example.com:6379/0 ", SecretStr(f"redis://:{CANARY}@limits.example.com:6379/0")),
    "max_answers_in_flight": ("16", 16),
    "daily_token_budget": ("1000000", 1_000_000),
    "daily_cost_budget_usd": ("1.5", 1.5),
    "price_input_usd_per_mtok": ("0.75", 0.75),
    "price_output_usd_per_mtok": ("3.75", 3.75),
    "trusted_proxy_hops": ("2", 2),
    "site_key": (f"{CANARY}-site-key", SecretStr(f"{CANARY}-site-key")),
    "host": ("0.0.0.0", "0.0.0.0"),
    "port": ("9000", 9000),
    "cors_origins": (
        " https://docs.example.com ,http://localhost:3000,,http://[::1]:3000",
        ["https://docs.example.com", "http://localhost:3000", "http://[::1]:3000"],
    ),
    "cors_allow_credentials": ("yes", True),
    "embed_timeout_s": ("0.7", 0.7),
    "deadline_s": ("20", 20.0),
    "search_timeout_s": ("2", 2.0),
    "log_level": ("warning", "warning"),
    "web_concurrency": ("2", 2),
    "replicas": ("3", 3),
    "drain_delay_s": ("3", 3.0),
    "metrics_token": (f"{CANARY}-metrics", SecretStr(f"{CANARY}-metrics")),
    "metrics_port": ("9464", 9464),
    "metrics_host": ("0.0.0.0", "0.0.0.0"),
    "api_docs": ("off", False),
}
"""Setting -> how it is written, and what it means: each differs from the default."""
NEEDED = {
    "qdrant_api_key": ("QDRANT_HOST",),
    "web_concurrency": ("LIMITS_URL",),
    "replicas": ("QDRANT_HOST", "DATABASE_URL", "LIMITS_URL"),
}
"""Settings that are refused alone, and what they go with."""
UNLIMITED = {"RATE_LIMIT_PER_VISITOR": "none", "RATE_LIMIT_PER_ADDRESS": "none"}
POSTGRES = "postgresql://ask@db.example.com/ask_ai"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory without a .env file."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def with_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Settings]:
    """Loads the settings from these variables and this .env file alone."""

    def load(environment: dict[str, str], env_file: str | bytes = "") -> Settings:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        path = tmp_path / "settings.env"
        path.write_bytes(env_file if isinstance(env_file, bytes) else env_file.encode())
        return load_settings(path)

    return load


def defaults() -> Settings:
    return Settings(_env_file=None)  # type: ignore[call-arg]


# --- where the settings come from


def test_the_list_here_has_every_setting_with_a_value_of_its_own() -> None:
    assert set(GIVEN) == set(Settings.model_fields)
    standard = defaults()
    assert [name for name, (_, meaning) in GIVEN.items() if getattr(standard, name) == meaning] == []


@pytest.mark.parametrize("name", GIVEN)
def test_a_setting_is_read_from_the_environment(with_environment: Callable[..., Settings], name: str) -> None:
    needed = {part: GIVEN[part.lower()][0] for part in NEEDED.get(name, ())}
    assert getattr(with_environment({**needed, name.upper(): GIVEN[name][0]}), name) == GIVEN[name][1]


def test_all_settings_are_read_from_a_file(with_environment: Callable[..., Settings]) -> None:
    apart = {"chatkit_enabled", "web_concurrency"}  # forbidden by STORE_QUESTIONS=false, and by METRICS_TOKEN
    together = {name: given for name, given in GIVEN.items() if name not in apart}
    lines = [f'{name.upper()}="{written}"' for name, (written, _) in together.items()]
    settings = with_environment({}, "\n".join(["# a comment", "", *lines, "UNKNOWN_NAME=1"]))
    assert {name: getattr(settings, name) for name in together} == {name: meaning for name, (_, meaning) in together.items()}


def test_the_environment_wins_over_the_file(with_environment: Callable[..., Settings]) -> None:
    settings = with_environment({"TOP_K": "7", "port": "7000"}, "TOP_K=9\nPORT=9000\nRRF_K=9\n")
    assert (settings.top_k, settings.port, settings.rrf_k) == (7, 7000, 9)


def test_without_a_file_named_the_one_in_the_working_directory_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TOP_K=9\n", encoding="utf-8")
    assert load_settings().top_k == 9


@pytest.mark.parametrize(
    ("written", "pairs"),
    [
        ("group_id=kb-1", {"group_id": "kb-1"}),
        (" a = 1 , metadata.b = two words ,", {"a": "1", "metadata.b": "two words"}),
        ("a=b=c", {"a": "b=c"}),
        (",", {}),
    ],
)
def test_a_filter_is_read_as_pairs(with_environment: Callable[..., Settings], written: str, pairs: dict[str, str]) -> None:
    assert with_environment({"QDRANT_FILTER": written}).qdrant_filter == pairs


@pytest.mark.parametrize("name", GIVEN)
def test_an_empty_value_counts_as_not_set(with_environment: Callable[..., Settings], name: str) -> None:
    settings = with_environment({name.upper(): ""}, f"{name.upper()}=\n")
    assert getattr(settings, name) == getattr(defaults(), name)


@pytest.mark.parametrize(
    ("env_file", "top_k"),
    [
        (b"\xef\xbb\xbfTOP_K=9\n", 9),
        (b"TOP_K=9\r\n", 9),
        (b"export TOP_K=9", 9),
        (b"TOP_K = 9   # more passages\n", 9),
        (b"TOP_K='9'", 9),
        (b"top_k=9", 9),
        (b"", 5),
    ],
)
def test_a_file_is_read_as_people_write_it(with_environment: Callable[..., Settings], env_file: bytes, top_k: int) -> None:
    assert with_environment({}, env_file).top_k == top_k


@pytest.mark.parametrize("env_file", ["TOP_K=9\n".encode("utf-16"), b"SITE_TITLE=Caf\xe9\n"], ids=["UTF-16", "Latin-1"])
def test_a_file_that_is_no_utf8_is_refused_in_words(with_environment: Callable[..., Settings], env_file: bytes) -> None:
    with pytest.raises(StartRefused) as refused:
        with_environment({}, env_file)
    assert refused.value.problems == ("The .env file can't be read as UTF-8 text; save it as UTF-8.",)


def test_settings_cannot_be_changed_once_they_are_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        defaults().top_k = 9  # type: ignore[misc]


# --- what is refused

REFUSED: list[tuple[dict[str, str], str]] = [
    ({"PROVIDER": "gemini"}, "PROVIDER=gemini needs GEMINI_API_KEY"),
    ({"PROVIDER": "gemini", "GEMINI_API_KEY": "  "}, "PROVIDER=gemini needs GEMINI_API_KEY"),
    ({"PROVIDER": "openai"}, "PROVIDER: "),
    ({"GEMINI_API_KEY": "two words"}, "GEMINI_API_KEY holds white space"),
    ({"GEMINI_API_KEY": "line\nbreak"}, "GEMINI_API_KEY holds white space"),
    ({"GEMINI_API_KEY": "clé"}, "GEMINI_API_KEY holds white space or other characters"),
    ({"QDRANT_API_KEY": "“quoted”", "QDRANT_HOST": "h"}, "QDRANT_API_KEY holds white space or other characters"),
    ({"QDRANT_API_KEY": "key"}, "QDRANT_API_KEY is set but QDRANT_HOST is empty"),
    *(({"GENERATIVE_MODEL": name}, f"GENERATIVE_MODEL={name} is retired") for name in RETIRED_GENERATIVE_MODELS),
    ({"GENERATIVE_MODEL": "models/gemini-2.0-flash"}, "GENERATIVE_MODEL=models/gemini-2.0-flash is retired"),
    ({"GENERATIVE_MODEL": " "}, "GENERATIVE_MODEL: "),
    ({"EMBEDDING_MODEL": " "}, "EMBEDDING_MODEL: "),
    ({"TEMPERATURE": "3"}, "TEMPERATURE: "),
    ({"TEMPERATURE": "nan"}, "TEMPERATURE: "),
    ({"FIRST_TEXT_TIMEOUT_S": "0"}, "FIRST_TEXT_TIMEOUT_S: "),
    ({"MAX_OUTPUT_TOKENS": "1"}, "MAX_OUTPUT_TOKENS: "),
    ({"EMBEDDING_DIMENSIONS": "4096"}, "EMBEDDING_DIMENSIONS: "),
    ({"ON_MODEL_FAILURE": "ignore"}, "ON_MODEL_FAILURE: "),
    ({"GEMINI_BASE_URL": "proxy.example"}, "GEMINI_BASE_URL must start with http:// or https://"),
    ({"GEMINI_BASE_URL": "http://"}, "GEMINI_BASE_URL names no host"),
    ({"GEMINI_BASE_URL": f"https://user:{CANARY}@proxy.example"}, "GEMINI_BASE_URL holds a user name or password"),
    ({"QDRANT_HOST": "grpc://qdrant"}, "QDRANT_HOST must start with http:// or https://"),
    ({"QDRANT_HOST": "two hosts"}, "QDRANT_HOST names no host"),
    ({"QDRANT_HOST": "a,b"}, "QDRANT_HOST names no host"),
    ({"QDRANT_HOST": "http://"}, "QDRANT_HOST names no host"),
    ({"QDRANT_HOST": "http:/qdrant"}, "QDRANT_HOST names no host"),
    ({"QDRANT_HOST": "qdrant:port"}, "QDRANT_HOST is no address"),
    ({"QDRANT_HOST": "qdrant:99999"}, "QDRANT_HOST is no address"),
    ({"QDRANT_HOST": "::1"}, "QDRANT_HOST is no address"),
    ({"QDRANT_HOST": "[::1"}, "QDRANT_HOST is no address"),
    ({"QDRANT_HOST": f"https://qdrant.example?api-key={CANARY}"}, "QDRANT_HOST holds a query"),
    ({"QDRANT_HOST": f"https://user:{CANARY}@qdrant.example"}, "QDRANT_HOST holds a user name or password"),
    ({"QDRANT_COLLECTION_NAME": "a/b"}, "QDRANT_COLLECTION_NAME: "),
    ({"DATABASE_URL": f"mysql://user:{CANARY}@db.example.com/x"}, "DATABASE_URL is no postgresql://"),
    ({"DATABASE_URL": f"postgresql://user:{CANARY}@db.example.com"}, "DATABASE_URL is no postgresql://"),
    ({"VISITOR_COOKIE_SECRET": "short"}, "VISITOR_COOKIE_SECRET is shorter than 32 characters"),
    ({"CHATKIT_ENABLED": "true", "STORE_QUESTIONS": "false"}, "CHATKIT_ENABLED=true keeps threads"),
    ({"CONVERSATION_TTL_DAYS": "0"}, "CONVERSATION_TTL_DAYS: "),
    *(({"QDRANT_FILTER": written}, "QDRANT_FILTER: ") for written in ("tenant_id", "=kb-1", "tenant_id=", "a=1,b", "a=1, a=2")),
    ({"DATA_DIR": __file__}, "DATA_DIR is no folder"),
    ({"TOP_K": "2"}, "TOP_K: "),
    ({"TOP_K": "many"}, "TOP_K: "),
    ({"RRF_K": "0"}, "RRF_K: "),
    ({"RELEVANCE_GATE": "6"}, "RELEVANCE_GATE: "),
    ({"SITE": " "}, "SITE: "),
    ({"SITE": "x" * 101}, "SITE: "),
    ({"SITE_TITLE": "x" * 201}, "SITE_TITLE: "),
    ({"SITE_URL": "docs.example.com"}, "SITE_URL must start with http:// or https://"),
    ({"SITE_URL": "https://docs.example.com/?a=b"}, "SITE_URL holds a query or fragment"),
    ({"SITE_URL": "javascript:alert(1)"}, "SITE_URL must start with"),
    ({"DEMO_PAGE": "maybe"}, "DEMO_PAGE: "),
    ({"RATE_LIMIT_PER_VISITOR": "often"}, "RATE_LIMIT_PER_VISITOR=often is no limit; write amount/period"),
    ({"RATE_LIMIT_PER_ADDRESS": "0/minute"}, "RATE_LIMIT_PER_ADDRESS=0/minute has an amount that is not 1 to 10000"),
    ({"LIMITS_URL": f"memcached://:{CANARY}@h"}, "LIMITS_URL is no redis://"),
    ({"LIMITS_URL": CANARY}, "LIMITS_URL is no redis://"),
    ({"MAX_ANSWERS_IN_FLIGHT": "0"}, "MAX_ANSWERS_IN_FLIGHT: "),
    ({"DAILY_TOKEN_BUDGET": "-1"}, "DAILY_TOKEN_BUDGET: "),
    ({"DAILY_COST_BUDGET_USD": "nan"}, "DAILY_COST_BUDGET_USD: "),
    (
        {"DAILY_COST_BUDGET_USD": "1", "PRICE_INPUT_USD_PER_MTOK": "0", "PRICE_OUTPUT_USD_PER_MTOK": "0"},
        "DAILY_COST_BUDGET_USD needs prices",
    ),
    ({"PRICE_INPUT_USD_PER_MTOK": "free"}, "PRICE_INPUT_USD_PER_MTOK: "),
    ({"TRUSTED_PROXY_HOPS": "11"}, "TRUSTED_PROXY_HOPS: "),
    ({"SITE_KEY": "short"}, "SITE_KEY is shorter than 16 characters"),
    ({"SITE_KEY": f"{CANARY} {CANARY}"}, "SITE_KEY holds white space"),
    ({"HOST": " "}, "HOST: "),
    ({"PORT": "65536"}, "PORT: "),
    ({"PORT": "http"}, "PORT: "),
    ({"CORS_ORIGINS": "*", "CORS_ALLOW_CREDENTIALS": "true"}, "CORS_ORIGINS=* can't go with CORS_ALLOW_CREDENTIALS=true"),
    *(
        ({"CORS_ORIGINS": origin}, "CORS_ORIGINS: ")
        for origin in (
            *("null", "docs.example.com", "https://docs.example.com/", "https://", "https://a b", "https://*.example.com"),
            *("https://Docs.example.com", "https://docs.example.com:443", "http://h:80", "http://h:99999", "http://h:x"),
            f"https://user:{CANARY}@docs.example.com",
        )
    ),
    ({"EMBED_TIMEOUT_S": "-1"}, "EMBED_TIMEOUT_S: "),
    ({"DEADLINE_S": "inf"}, "DEADLINE_S: "),
    ({"SEARCH_TIMEOUT_S": "soon"}, "SEARCH_TIMEOUT_S: "),
    ({"LOG_LEVEL": "loud"}, "LOG_LEVEL: "),
    ({"API_DOCS": "2"}, "API_DOCS: "),
    ({"WEB_CONCURRENCY": "0"}, "WEB_CONCURRENCY: "),
    ({"WEB_CONCURRENCY": "2"}, "WEB_CONCURRENCY=2 needs LIMITS_URL: each process would count"),
    ({"WEB_CONCURRENCY": "2", **UNLIMITED, "DAILY_TOKEN_BUDGET": "9"}, "WEB_CONCURRENCY=2 needs LIMITS_URL"),
    ({"WEB_CONCURRENCY": "2", **UNLIMITED, "METRICS_TOKEN": CANARY}, "METRICS_TOKEN can't go with WEB_CONCURRENCY=2"),
    ({"WEB_CONCURRENCY": "2", **UNLIMITED, "METRICS_PORT": "65535"}, "METRICS_PORT=65535 leaves no port for each worker"),
    ({"REPLICAS": "2", "DATABASE_URL": POSTGRES, **UNLIMITED}, "REPLICAS=2 needs QDRANT_HOST: the embedded index"),
    ({"REPLICAS": "2", "QDRANT_HOST": "q", **UNLIMITED}, "REPLICAS=2 needs DATABASE_URL: the conversations' SQLite file"),
    ({"REPLICAS": "2", "QDRANT_HOST": "q", "DATABASE_URL": POSTGRES}, "REPLICAS=2 needs LIMITS_URL: each process"),
]


@pytest.mark.parametrize(("environment", "sentence"), REFUSED, ids=lambda part: str(part)[:60])
def test_a_wrong_setting_is_refused_with_one_sentence_that_names_it(
    with_environment: Callable[..., Settings], environment: dict[str, str], sentence: str
) -> None:
    with pytest.raises(StartRefused) as refused:
        with_environment(environment)
    (problem,) = refused.value.problems
    assert problem.startswith(sentence)
    assert problem.endswith(".")
    assert CANARY not in problem


def test_replicas_that_share_nothing_are_told_all_they_need_at_once(with_environment: Callable[..., Settings]) -> None:
    with pytest.raises(StartRefused) as refused:
        with_environment({"REPLICAS": "3"})
    assert [problem.split(":")[0] for problem in refused.value.problems] == [
        f"REPLICAS=3 needs {name}" for name in ("QDRANT_HOST", "DATABASE_URL", "LIMITS_URL")
    ]


def test_processes_that_have_nothing_to_count_need_nowhere_to_count_it(with_environment: Callable[..., Settings]) -> None:
    assert with_environment({"WEB_CONCURRENCY": "2", **UNLIMITED}).web_concurrency == 2


def test_all_that_is_wrong_is_said_at_once(with_environment: Callable[..., Settings]) -> None:
    wrong = {
        "TOP_K": "many",
        "PORT": "-1",
        "PROVIDER": "gemini",
        "QDRANT_API_KEY": f"{CANARY}-q",
        "SITE_URL": "x",
        "CORS_ORIGINS": "null,https://a.example/b",
    }
    with pytest.raises(StartRefused) as refused:
        with_environment(wrong)
    beginnings = [problem.split(" ")[0].rstrip(":").partition("=")[0] for problem in refused.value.problems]
    assert sorted(beginnings) == sorted([*wrong, "CORS_ORIGINS"])
    assert CANARY not in str(refused.value)


async def test_what_only_the_parts_can_judge_is_refused_when_they_are_opened(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "index" / "run").mkdir(parents=True)
    (folder / "index" / "run" / "marker.json").write_text("{}", encoding="utf-8")
    (folder / "index" / "current").write_text("run", encoding="utf-8")
    cases: list[tuple[dict[str, Any], str]] = [
        ({"thinking_level": "enormous", "gemini_api_key": CANARY}, "THINKING_LEVEL=enormous: "),
        ({"bm25_language": "klingon"}, "BM25_LANGUAGE=klingon: "),
        ({"data_dir": folder}, "The index was made with other settings: "),
        ({"limits_url": f"redis://:{CANARY}@h:port/0"}, "LIMITS_URL can't be read; "),
    ]
    for values, sentence in cases:
        settings = Settings(_env_file=None, **{"data_dir": tmp_path / "none", "local_embedder": False, **values})  # type: ignore[call-arg]
        with pytest.raises(StartRefused) as refused:
            async with open_services(settings):
                pass
        (problem,) = refused.value.problems
        assert problem.startswith(sentence)
        assert CANARY not in problem


# --- what is sound

SOUND: list[dict[str, str]] = [
    {"PROVIDER": "offline", "GEMINI_API_KEY": CANARY},
    {"PROVIDER": "gemini", "GEMINI_API_KEY": CANARY},
    {"CORS_ORIGINS": "*"},
    {"CORS_ORIGINS": "*,https://docs.example.com"},
    {"CORS_ORIGINS": ","},
    {"CORS_ORIGINS": "https://xn--bcher-kva.example:8443", "CORS_ALLOW_CREDENTIALS": "true"},
    {"SITE_URL": "https://docs.example.com/book/"},
    {"GEMINI_BASE_URL": "http://127.0.0.1:8080/v1"},
    {"PORT": "0"},
    {"SITE_TITLE": " the Ünïcode “handbook” "},
    {"DATA_DIR": "not/there/yet"},
]


@pytest.mark.parametrize("environment", SOUND, ids=str)
def test_a_sound_setting_is_taken(with_environment: Callable[..., Settings], environment: dict[str, str]) -> None:
    assert with_environment(environment)


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("", ""),
        ("qdrant", "http://qdrant:6333"),
        ("qdrant:7000", "http://qdrant:7000"),
        ("127.0.0.1", "http://127.0.0.1:6333"),
        ("http://qdrant", "http://qdrant:6333"),
        ("http://qdrant:80", "http://qdrant:80"),
        ("https://x.cloud.example", "https://x.cloud.example:6333"),
        ("https://x.cloud.example/", "https://x.cloud.example:6333"),
        ("https://x.cloud.example:443", "https://x.cloud.example:443"),
        ("https://proxy.example/qdrant", "https://proxy.example:6333/qdrant"),
        ("https://proxy.example:8443/a/b/", "https://proxy.example:8443/a/b"),
        ("proxy.example/qdrant", "http://proxy.example:6333/qdrant"),
        ("[::1]", "http://[::1]:6333"),
        ("[::1]:7000", "http://[::1]:7000"),
        ("http://[fe80::1]/q", "http://[fe80::1]:6333/q"),
        ("  qdrant\t", "http://qdrant:6333"),
    ],
)
def test_the_qdrant_server_may_be_named_in_many_ways(with_environment: Callable[..., Settings], written: str, url: str) -> None:
    assert with_environment({"QDRANT_HOST": written}).qdrant_url == url


@pytest.mark.parametrize(
    ("provider", "key", "effective"),
    [
        ("auto", "", "offline"),
        ("auto", CANARY, "gemini"),
        ("auto", "   ", "offline"),
        ("gemini", CANARY, "gemini"),
        ("offline", "", "offline"),
        ("offline", CANARY, "offline"),
    ],
)
def test_who_answers_is_decided_by_the_provider_and_the_key(
    with_environment: Callable[..., Settings], provider: str, key: str, effective: str
) -> None:
    assert with_environment({"PROVIDER": provider, "GEMINI_API_KEY": key}).effective_provider == effective


def test_the_data_lies_in_the_checkout_by_default_wherever_one_stands() -> None:
    settings = defaults()
    assert settings.data_dir == Path(__file__).resolve().parents[1] / "data"
    assert settings.index_dir == settings.data_dir / "index"


def test_keys_are_never_shown() -> None:
    settings = Settings(_env_file=None, gemini_api_key=CANARY, qdrant_api_key=f"{CANARY}-q", qdrant_host="h")  # type: ignore[call-arg, arg-type]
    assert settings.gemini_api_key.get_secret_value() == CANARY
    shown = (repr(settings), str(settings), settings.model_dump_json(), json.dumps(settings.model_dump(), default=str))
    assert [text for text in shown if CANARY in text] == []


def test_every_setting_is_described_in_a_sentence() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith((".", "`")), name
