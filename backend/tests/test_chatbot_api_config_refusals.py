"""Every contradiction of settings is refused in words that name it, all at once, without a secret."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatbot_api.config import Settings
from chatbot_api.errors import StartRefused
from chatbot_api.model_settings import RETIRED_GENERATIVE_MODELS
from chatbot_api.wiring import open_services

CANARY = "canary-key-0123456789-never-shown"
UNLIMITED = {"RATE_LIMIT_PER_VISITOR": "none", "RATE_LIMIT_PER_ADDRESS": "none"}
POSTGRES = "postgresql://ask@db.example.com/ask_ai"
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
