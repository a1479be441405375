"""POST /chatkit over a real socket: an answer as ChatKit's events, and its sources."""

from re import fullmatch

import pytest

from chatkit_reader import QUESTION, ChatKitReader, done_items, input_of
from conftest import Service
from gemini_standin import GeminiStandin
from lantern import prompts
from lantern_fixtures import lantern_running

pytest_plugins = ["chatkit_package"]
running = lantern_running("chatkit_there", chatkit_enabled=True, site_url="https://docs.example.com")


@pytest.fixture
def alice(service: Service) -> ChatKitReader:
    return ChatKitReader(service)


def test_an_answer_comes_in_chatkits_own_order(alice: ChatKitReader, model: GeminiStandin) -> None:
    model.answer(["Run the ", "image", " [1]."], chunk_delay_s=0.1)
    events = alice.told("threads.create", input=input_of())
    kinds = [event["update"]["type"].rpartition(".")[2] if "update" in event else event["type"] for event in events]
    assert kinds[:2] == ["thread.created", "thread.item.done"]
    assert kinds[2:6] == ["stream_options", "progress_update", "thread.updated", "progress_update"]
    assert kinds[6:8] == ["thread.item.added", "added"]
    assert set(kinds[8:-3]) == {"text_delta"}
    assert kinds[-3:] == ["annotation_added", "done", "thread.item.done"]
    assert events[2]["stream_options"] == {"allow_cancel": True}
    assert [event["icon"] for event in events if event["type"] == "progress_update"] == ["search", "write"]


def test_the_pieces_fold_to_the_finished_item_and_that_is_what_is_kept(alice: ChatKitReader, model: GeminiStandin) -> None:
    model.answer(["Run the ", "image", " [1]."], chunk_delay_s=0.1)
    events = alice.told("threads.create", input=input_of())
    updates = [event["update"] for event in events if event["type"] == "thread.item.updated"]
    (answer,) = done_items(events, "assistant_message")
    (part,) = answer["content"]
    assert part["text"] == "".join(one["delta"] for one in updates if "delta" in one) == "Run the image [1]."
    assert part["annotations"] == [one["annotation"] for one in updates if "annotation" in one]
    assert updates[-1]["content"] == part
    assert {event["item_id"] for event in events if "item_id" in event} == {answer["id"]}
    assert alice.items(events[0]["thread"]["id"])[-1] == answer


def test_sources_are_annotations_behind_their_markers(alice: ChatKitReader, model: GeminiStandin) -> None:
    model.answer("Ünïcode 💡 runs the image [1]. Again [1].")
    (answer,) = done_items(alice.told("threads.create", input=input_of()), "assistant_message")
    (part,) = answer["content"]
    assert [part["text"][: one["index"]][-3:] for one in part["annotations"]] == ["[1]", "[1]"]
    assert [one["index"] for one in part["annotations"]] == [28, 39]  # characters, of which 💡 is one
    assert part["annotations"][0]["source"] == {
        "type": "url",
        "title": "Install › Install with Docker",
        "url": "https://docs.example.com/docs/install#install-with-docker",
        "description": "Run the image to install Lantern with Docker: docker run lantern/hub",
        "attribution": "docs.example.com",
    }


def test_an_answer_that_the_docs_do_not_hold_has_no_annotations(alice: ChatKitReader, model: GeminiStandin) -> None:
    events = alice.told("threads.create", input=input_of("Which wine goes with a saffron risotto?"))
    (answer,) = done_items(events, "assistant_message")
    assert answer["content"][0]["text"]
    assert answer["content"][0]["annotations"] == []
    assert model.calls("generate") == 0


def test_a_degraded_answer_says_so_in_a_notice(alice: ChatKitReader, model: GeminiStandin) -> None:
    model.fail("503")
    events = alice.told("threads.create", input=input_of())
    (answer,) = done_items(events, "assistant_message")
    assert "docker run lantern/hub" in answer["content"][0]["text"]
    assert [event["level"] for event in events if event["type"] == "notice"] == ["warning"]
    assert "The language model could not be reached" in events[-1]["message"]


def test_a_model_that_breaks_off_ends_the_stream_with_its_sentence_and_what_was_written_is_kept(
    alice: ChatKitReader, model: GeminiStandin
) -> None:
    model.answer(["Run the image [1]. ", "Then open the page [1]. ", "And so on [1]."], chunk_delay_s=0.1)
    model.fail("ssetrunc")
    events = alice.told("threads.create", input=input_of())
    assert (events[-1]["type"], events[-1]["code"], events[-1]["allow_retry"]) == ("error", "custom", True)
    assert "try again" in events[-1]["message"]
    assert [event["type"] for event in events].count("error") == 1
    (kept,) = [item for item in alice.items(events[0]["thread"]["id"]) if item["type"] == "assistant_message"]
    assert kept["content"][0]["text"].startswith("Run the image [1].")


def test_ids_have_128_random_bits_in_our_own_form(alice: ChatKitReader, model: GeminiStandin) -> None:
    events = alice.told("threads.create", input=input_of())
    assert fullmatch(r"c_[A-Za-z0-9_-]{22}", events[0]["thread"]["id"])
    for kind in ("user_message", "assistant_message"):
        assert fullmatch(r"m_[A-Za-z0-9_-]{22}", done_items(events, kind)[0]["id"])


def test_a_quotation_is_the_selection_and_its_beginning_is_enough(alice: ChatKitReader, model: GeminiStandin) -> None:
    alice.begun("How is this done?", quoted_text="reset a lamp " + "x" * 5000)
    assert "reset a lamp" in prompts(model)
    assert "x" * 4001 not in prompts(model)


def test_the_clients_choice_of_model_and_tools_is_neither_followed_nor_kept(alice: ChatKitReader, model: GeminiStandin) -> None:
    events = alice.told("threads.create", input=input_of(inference_options={"model": "gpt-x", "tool_choice": {"id": "run"}}))
    assert done_items(events, "user_message")[0]["inference_options"] == {}
    assert "gpt-x" not in "".join(one.path for one in model.requests)


def test_the_texts_of_all_parts_are_the_question(alice: ChatKitReader, model: GeminiStandin) -> None:
    tag = {"type": "input_tag", "id": "t", "text": "Docker", "data": {"secret": "a@b.example"}}
    parts = [{"type": "input_text", "text": "How do I install Lantern with"}, tag]
    events = alice.told("threads.create", input=input_of(content=parts))
    assert [part["text"] for part in done_items(events, "user_message")[0]["content"]] == [
        "How do I install Lantern with",
        "Docker",
    ]
    assert QUESTION.rstrip("?") in prompts(model)


def test_a_stream_may_neither_be_cached_nor_buffered(alice: ChatKitReader, model: GeminiStandin) -> None:
    headers = alice.send("threads.create", input=input_of()).headers
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-cache", "no")
