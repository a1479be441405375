"""A conversation at the demo in a real browser: what a reader sees, presses and hears, and that nothing hostile runs."""

import pytest

import demo_reader
from demo_reader import Keys, Reader

browser, reader = demo_reader.browser, demo_reader.reader
LAST = ".ask-docs-turn:last-child"


def test_a_starter_is_asked_at_a_press_and_the_answer_comes_in_the_panel(reader: Reader) -> None:
    assert reader.text("h1") == "Ask Lantern"
    assert reader.css(".bar nav a")[0].get_attribute("href") == f"{reader.base}/docs/install"
    reader.css(".starters button")[0].click()
    reader.until(lambda: reader.text(".ask-docs-outcome"))
    assert reader.text(".ask-docs-question").endswith("How do I pair a lamp?")
    assert reader.chat.asked[0].query == "How do I pair a lamp?"
    dialog = reader.css("dialog.ask-docs")[0]
    assert (dialog.accessible_name, dialog.aria_role) == ("Ask Lantern", "dialog")


def test_the_landing_pages_field_asks_and_says_where_the_reader_is(reader: Reader) -> None:
    reader.answered("How do I pair a lamp?", "Answered from the docs")
    asked = reader.chat.asked[0]
    assert (asked.query, asked.context.page_url) == ("How do I pair a lamp?", f"{reader.base}/")
    assert asked.client_message_id
    assert reader.css("#question")[0].get_attribute("value") == ""


def test_text_shows_while_it_is_written_and_is_spoken_by_sentences(reader: Reader) -> None:
    reader.ask("gated answer")
    reader.until(lambda: "three seconds" in reader.text(".ask-docs-text"))
    assert reader.css(".ask-docs-send")[0].accessible_name == "Stop the answer"
    assert "Searching the documentation" in reader.spoken()
    assert "three" not in reader.spoken()  # the sentence is not whole yet
    reader.chat.gate.set()
    reader.until(lambda: "Answered from the docs" in reader.text(".ask-docs-outcome"))
    spoken = reader.spoken()
    assert "Hold the button on the lamp for three seconds until it blinks" in spoken
    assert "Answered from the docs. Sources: 2." in spoken
    assert "Copy" not in spoken
    assert "lantern pair" not in spoken
    assert reader.css(".ask-docs-send")[0].accessible_name == "Send"


def test_the_last_event_replaces_the_sources_and_markers_lead_to_exact_headings(reader: Reader) -> None:
    reader.answered("How do I pair a lamp?", "Answered")
    assert reader.text(".ask-docs-number").split() == ["1", "2"]
    assert reader.text(".ask-docs-sources a").split("\n") == [
        "Install Lantern › Pair a lamp",
        "Configure › Radio › Range and walls",
    ]
    links = [link.get_attribute("href") for link in reader.css(".ask-docs-sources a")]
    assert links == [f"{reader.base}/docs/install#pair-a-lamp", f"{reader.base}/docs/configure#range"]
    markers = [(marker.text, marker.get_attribute("href")) for marker in reader.css("a.ask-docs-marker")]
    assert markers == [("1", links[0]), ("2", links[1]), ("1", links[0]), ("2", links[1])]
    assert reader.css("a.ask-docs-marker")[0].accessible_name == "Source 1: Install Lantern, Pair a lamp"


def test_a_marker_that_is_focused_shows_what_its_source_says_until_escape(reader: Reader) -> None:
    reader.answered("How do I pair a lamp?", "Answered")
    reader.js("document.querySelector('a.ask-docs-marker').focus()")
    reader.until(lambda: "Install Lantern › Pair a lamp" in reader.text("[role=tooltip]"))
    reader.press(Keys.ESCAPE)
    reader.until(lambda: not reader.css("[role=tooltip]"))
    assert reader.css(".ask-docs[open]")


def test_the_answers_markdown_becomes_elements(reader: Reader) -> None:
    reader.answered("How do I pair a lamp?", "Answered")
    assert reader.text(".ask-docs-text strong") == "three seconds"
    assert reader.text(".ask-docs-text pre code") == "lantern pair --name kitchen"
    assert len(reader.css(".ask-docs-text ol > li")) == 3
    link = reader.css(".ask-docs-text ol a:not(.ask-docs-marker)")[0]
    assert link.get_attribute("href") == f"{reader.base}/docs/configure#the-settings-file"


def test_a_source_opens_its_page_at_the_heading_and_the_panel_stays_open(reader: Reader) -> None:
    reader.answered("How do I pair a lamp?", "Answered")
    reader.css(".ask-docs-sources a")[0].click()
    reader.until(lambda: "Hold the button" in reader.text(".ask-docs[open] .ask-docs-text"))
    assert reader.text(":target").startswith("Pair a lamp")
    assert 60 < reader.js("document.querySelector(':target').getBoundingClientRect().top") < 120
    assert reader.js("getComputedStyle(document.querySelector(':target')).backgroundColor") != "rgba(0, 0, 0, 0)"
    assert reader.js("document.activeElement === document.body")
    assert "three seconds" not in reader.spoken()
    reader.answered("And reset it?", "Answered")
    assert [ask.conversation_id for ask in reader.chat.asked] == [None, "c_1"]
    assert reader.chat.asked[1].context.page_url == f"{reader.base}/docs/install#pair-a-lamp"


def test_what_the_docs_do_not_say_is_no_answer_and_offers_the_closest_pages(reader: Reader) -> None:
    reader.answered("unknown bread", "Not in the documentation")
    assert reader.text(".ask-docs-sources h4") == "Closest pages"
    assert [link.get_attribute("href") for link in reader.css(".ask-docs-sources a")] == [
        f"{reader.base}/docs/install#pair-a-lamp",
        f"{reader.base}/docs/commands#lantern-reset",
    ]
    assert reader.css("a.ask-docs-marker") == []


def test_a_degraded_answer_says_in_words_which_parts_failed(reader: Reader) -> None:
    reader.answered("partly", "Answered in part")
    assert "The language model was not available" in reader.text(".ask-docs-notice")
    assert "only the words were compared" in reader.text(".ask-docs-notice")
    assert reader.text(".ask-docs-text blockquote").startswith("Hold the button")
    reader.css(f"{LAST} .ask-docs-retry")[0].click()
    reader.until(lambda: len(reader.chat.asked) == 2)
    assert reader.chat.asked[0].client_message_id != reader.chat.asked[1].client_message_id


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("failing", "The documentation can't be searched right now"),
        ("broken", "The connection closed before the answer was complete"),
        ("down", "The documentation can't be searched right now"),
    ],
)
def test_a_failure_is_told_and_asked_again_at_a_press(reader: Reader, question: str, words: str) -> None:
    reader.ask(question)
    reader.until(lambda: words in reader.text(".ask-docs-problem"))
    assert words in reader.spoken()
    assert ("incomplete" in reader.text(".ask-docs-turn")) == (question != "down")
    reader.css(".ask-docs-retry")[0].click()
    reader.until(lambda: "Answered from the docs" in reader.text(".ask-docs-outcome"))
    first, again = reader.chat.asked
    assert (first.query, again.query) == (question, question)
    assert first.client_message_id == again.client_message_id
    assert (len(reader.css(".ask-docs-turn")), reader.css(".ask-docs-problem")) == (1, [])


def test_a_busy_service_is_asked_again_when_its_time_has_come_and_not_before(reader: Reader) -> None:
    reader.ask("busy")
    reader.until(lambda: "You asked a lot in a short time" in reader.text(".ask-docs-problem"))
    retry = reader.css(".ask-docs-retry")[0]
    assert retry.text in {"Try again in 2 s", "Try again in 1 s"}
    retry.click()
    assert len(reader.chat.asked) == 1
    reader.until(lambda: retry.text == "Try again")
    retry.click()
    reader.until(lambda: "Answered from the docs" in reader.text(".ask-docs-outcome"))


def test_a_refused_question_offers_no_second_try(reader: Reader) -> None:
    reader.ask("invalid")
    reader.until(lambda: reader.text(".ask-docs-problem"))
    assert reader.css(".ask-docs-retry") == []


def test_without_a_network_the_panel_says_so(reader: Reader) -> None:
    reader.open_panel()
    reader.driver.set_network_conditions(offline=True, latency=0, throughput=1_000_000)
    try:
        reader.until(lambda: "You are offline" in reader.text(".ask-docs-offline"))
        reader.ask("How do I pair a lamp?")
        reader.until(lambda: "no network connection" in reader.text(".ask-docs-problem"))
    finally:
        reader.driver.delete_network_conditions()
    reader.until(lambda: not reader.css(".ask-docs-offline"))
    reader.css(".ask-docs-retry")[0].click()
    reader.until(lambda: "Answered from the docs" in reader.text(".ask-docs-outcome"))


def test_a_slow_answer_stops_at_a_press_and_the_service_hears_of_it(reader: Reader) -> None:
    reader.ask("slow")
    reader.until(lambda: "Hold the button" in reader.text(".ask-docs-text"))
    reader.css(".ask-docs-send")[0].click()
    reader.until(lambda: "Stopped" in reader.text(".ask-docs-outcome"))
    reader.until(lambda: reader.chat.left == 1)
    assert "Hold the button" in reader.text(".ask-docs-text")
    reader.css(f"{LAST} .ask-docs-retry")[0].click()
    reader.until(lambda: "Answered from the docs" in reader.text(".ask-docs-outcome"))


def test_hostile_answers_titles_and_addresses_stay_text(reader: Reader) -> None:
    reader.answered("evil", "Answered")
    assert reader.css(".ask-docs-turn a") == []
    assert reader.css(".ask-docs-text :is(script, img, svg, i, b), .ask-docs-sources :is(img, b)") == []
    assert "<script>window.hit='script'</script>" in reader.text(".ask-docs-text")
    assert "<img src=x onerror=window.hit=5> › <b>Evil</b>" in reader.text(".ask-docs-sources li").replace("\n", " ")
    assert "[9]" in reader.text(".ask-docs-text")
    reader.driver.execute_script("for (const e of document.querySelectorAll('.ask-docs-turn *')) e.click?.()")


def test_a_hostile_question_stays_text(reader: Reader) -> None:
    reader.answered("<img src=x onerror=window.hit=7> hi", "Answered")
    assert reader.css(".ask-docs-question img") == []
    assert "<img src=x" in reader.text(".ask-docs-question")


def test_the_whole_conversation_works_by_keyboard(reader: Reader) -> None:
    reader.js("document.querySelector('.skip').focus()")
    order = []
    for _ in range(6):
        active = reader.driver.switch_to.active_element
        order.append(active.accessible_name)
        assert reader.js("getComputedStyle(document.activeElement).outlineStyle") == "solid" or active.tag_name == "input"
        active.send_keys(Keys.TAB)
    assert order[:5] == ["Skip to the question field", "Ask AI", "Read the docs", "Your question", "Ask"]
    reader.js("document.querySelector('.brand').focus()")
    reader.press(Keys.CONTROL + "i")
    reader.until(lambda: reader.js("document.activeElement.tagName") == "TEXTAREA")
    field = reader.driver.switch_to.active_element
    field.send_keys("How do I pair", Keys.SHIFT, Keys.ENTER, Keys.SHIFT, "a lamp?", Keys.ENTER)
    reader.until(lambda: "Answered" in reader.text(".ask-docs-outcome"))
    assert reader.chat.asked[0].query == "How do I pair\na lamp?"
    seen = set()
    for _ in range(30):  # Tab goes round inside the panel
        assert reader.js("document.activeElement.closest('.ask-docs') !== null")
        seen.add(reader.driver.switch_to.active_element.accessible_name)
        reader.press(Keys.TAB)
    assert {
        "Close",
        "New chat",
        "Copy",
        "Copy the answer",
        "This answer helps",
        "About this page",
        "Your question",
        "Send",
    } <= seen
    reader.press(Keys.F6)
    assert reader.js("document.activeElement.closest('.ask-docs') === null")
    reader.press(Keys.F6)
    reader.press(Keys.ESCAPE)
    reader.until(lambda: not reader.css(".ask-docs[open]"))
    assert reader.js("document.activeElement.className") == "brand"


def test_a_conversation_keeps_its_id_until_a_new_one_is_begun(reader: Reader) -> None:
    reader.answered("How do I pair a lamp?", "Answered")
    reader.answered("And reset it?", "Answered")
    next(button for button in reader.css(".ask-docs-bar button") if button.text == "New chat").click()
    reader.until(lambda: not reader.css(".ask-docs-turn"))
    reader.answered("Another matter?", "Answered")
    assert [ask.conversation_id for ask in reader.chat.asked] == [None, "c_1", None]


def test_code_is_copied_or_at_least_selected_at_a_press(reader: Reader) -> None:
    reader.answered("How do I pair a lamp?", "Answered")
    button = reader.css("[data-copy]")[0]
    button.click()
    reader.until(lambda: button.text in {"Copied", "Selected"})
    reader.until(lambda: button.text == "Copy")


def test_the_panel_of_a_page_asks_about_that_page(reader: Reader) -> None:
    reader.open("/docs/install")
    next(link for link in reader.css(".bar nav a") if link.text == "Ask a question").click()
    reader.until(lambda: reader.css(".ask-docs[open]"))
    assert reader.text(".ask-docs-starters button").split("\n") == [
        "How do I install Lantern?",
        "How do I pair a lamp?",
    ]
    reader.css(".ask-docs-toggle")[0].click()
    assert reader.css(".ask-docs-toggle")[0].get_attribute("aria-pressed") == "true"
    reader.answered("What is this?", "Answered")
    context = reader.chat.asked[0].context
    assert context.page_url == f"{reader.base}/docs/install"
    assert context.selection.startswith("Install Lantern · Lantern\nInstall Lantern\nMount the hub\nPair a lamp")
    assert "Hold it." in context.selection


def test_selected_text_gets_a_button_and_nothing_opens_by_itself(reader: Reader) -> None:
    reader.open("/docs/install")
    reader.js("getSelection().selectAllChildren(document.querySelector('#content p'))")
    reader.until(lambda: reader.css(".ask-docs-select") and reader.css(".ask-docs-select")[0].is_displayed())
    assert not reader.css(".ask-docs[open]")
    reader.css(".ask-docs-select")[0].click()
    reader.until(lambda: "What there is to know" in reader.text(".ask-docs-selection"))
    reader.answered("Why?", "Answered")
    assert reader.chat.asked[0].context.selection.startswith("What there is to know")
