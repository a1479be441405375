"""Follow-ups hold: dialogues over real docs, indexed by the real indexer, answered offline, have the right page at every turn."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from chatbot_api.config import Settings
from chatbot_api.models.conversation_models import StoredTurn
from chatbot_api.reliability import Deadline
from chatbot_api.services.rag_service import RagService
from chatbot_api.wiring import open_services
from conftest import SHARED, write_index
from follow_up_dialogues import JEST, OURS
from lantern import settings_in
from qdrant_indexer.chunks import passages_of
from qdrant_indexer.docusaurus import read_docs

Dialogue = Sequence[tuple[str, str | None]]


async def missed(rag: RagService, dialogue: Dialogue) -> list[str]:
    """The turns of a dialogue that cite another page than they should, told as the service tells them."""
    history: list[StoredTurn] = []
    wrong: list[str] = []
    for number, (query, pages) in enumerate(dialogue):
        deadline = Deadline(20)
        question = await rag.standalone(query, history, deadline)
        earlier = history[-1].passage_ids if history and question != query else ()
        found = await rag.find(question, None, None, deadline, earlier=earlier, asked=query)
        draft = rag.draft(found)
        response = "".join([text async for text in rag.write(draft, history, deadline)])
        done = draft.done()
        history.append(StoredTurn(f"m_{number}", query, done.understood_as, response, done, draft.passage_ids))
        told = {page_of(source.url) for source in [*done.sources, *found.sources[:1]]}
        if (not told & set(pages.split())) if pages else done.outcome != "not_in_docs":
            wrong.append(f"{query} [{done.understood_as}] -> {sorted(told)}")
    return wrong


def page_of(url: str) -> str:
    return url.partition("#")[0].strip("/").rpartition("/")[2]


async def held(settings: Settings, dialogues: Sequence[Dialogue]) -> tuple[int, list[str]]:
    """How many dialogues are right at every turn, and the turns that are wrong."""
    async with open_services(settings) as services:
        wrong = [await missed(services.rag, dialogue) for dialogue in dialogues]
    return sum(not one for one in wrong), [turn for one in wrong for turn in one]


@pytest.mark.embedder
async def test_eleven_of_twelve_dialogues_over_our_docs_cite_the_right_page_at_each_of_three_turns(
    over_own_docs: Callable[..., Settings], tmp_path: Path
) -> None:
    right, wrong = await held(over_own_docs(tmp_path), OURS)
    assert len(OURS) == 12
    assert all(len(dialogue) == 3 for dialogue in OURS)
    assert right >= 11, wrong


@pytest.mark.embedder
async def test_an_unrelated_question_in_the_clothes_of_a_follow_up_is_refused_and_one_without_a_subject_is_not(
    over_own_docs: Callable[..., Settings], tmp_path: Path
) -> None:
    first = ("How do I put nginx in front of the service?", "deploying")
    unrelated = (
        "and the weather in Paris?",
        "what about pizza recipes?",
        "And how do I bake bread with it?",
        "How do I make it dance?",
    )
    leaning = ("why?", "Show me an example", "tell me more")
    dialogues = [(first, (query, None)) for query in unrelated] + [(first, (query, "deploying")) for query in leaning]
    right, wrong = await held(over_own_docs(tmp_path), dialogues)
    assert right == len(dialogues), wrong


@pytest.mark.embedder
@pytest.mark.usefixtures("embedder_there")
async def test_follow_ups_hold_over_docs_that_the_rules_were_not_made_for(tmp_path: Path) -> None:
    docs = SHARED / "jest" / "source" / "docs"
    if not docs.is_dir():
        pytest.skip("the development docs are not there")
    settings = settings_in(tmp_path, local_embedder=True)
    await write_index(settings, [passage for page in read_docs(docs).pages for passage in passages_of(page, settings.site)])
    right, wrong = await held(settings, JEST)
    assert len(JEST) == 12
    assert right >= 9, wrong
