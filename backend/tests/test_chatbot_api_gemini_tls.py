"""Over TLS, embedding and writing trust the same authorities: certifi's, or those that the environment names."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from chatbot_api.errors import DeadlineExceeded, ModelUnavailable
from chatbot_api.models.answer_models import Prompt
from chatbot_api.reliability import Deadline
from chatbot_api.services.gemini_service import GeminiService
from tls_server import silent_over_tls

PROMPT = Prompt(rules="", history=(), material="", question="Which port?", passages=())


async def embed(service: GeminiService) -> None:
    await service.embed_query("Which port?", Deadline(1.5))


async def write(service: GeminiService) -> None:
    async for _ in service.write(PROMPT, Deadline(1.5)):
        pass


async def rewrite(service: GeminiService) -> None:
    await service.rewrite(PROMPT, Deadline(1.5))


@pytest.mark.parametrize("verb", [embed, write, rewrite])
async def test_a_server_is_spoken_to_only_when_its_authority_is_trusted(
    verb: Callable[[GeminiService], Coroutine[Any, Any, None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for trusted, expected in ((False, ModelUnavailable), (True, DeadlineExceeded)):
        folder = tmp_path / str(trusted)
        folder.mkdir()
        with silent_over_tls(folder) as server:
            if trusted:
                monkeypatch.setenv("SSL_CERT_FILE", str(server.certificate))
            service = GeminiService(
                "k" * 39, generative_model="g", embedding_model="gemini-embedding-001", dimensions=256, base_url=server.url
            )
            try:
                with pytest.raises(expected):
                    await verb(service)
                assert await asyncio.to_thread(server.asked.wait, 2 if trusted else 0) is trusted
            finally:
                await service.close()
