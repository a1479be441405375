"""A conversation at the demo page in a real browser: what a reader sees, presses and hears, and that nothing hostile runs."""

import pytest

import demo_reader
from demo_reader import Keys, Reader

browser, reader = demo_reader.browser, demo_reader.reader


def test_a_starter_is_asked_at_a_press_and_the_answer_streams_in(reader: Reader) -> None:
    assert reader.text("h1") == "Ask Lantern"
    assert reader.css("#docs")[0].get_attribute("href") == f"{reader.base}/docs/install"
    reader.css(".starters button")[0].click()
    reader.until(lambda: reader.text(".badge"))
    assert reader.text(".question").endswith("How do I pair a lamp?")
    assert reader.chat.asked[0].query == "How do I pair a lamp?"
    assert not reader.css(".starters button")[0].is_displayed()


def test_text_shows_while_it_is_written_and_the_whole_is_spoken_once_at_the_end(reader: Reader) -> None:
    reader.ask("gated answer")
    reader.until(lambda: "three seconds" in reader.text(".text"))
    assert len(reader.css(".sources li")) == 3
    assert (reader.css("#stop")[0].is_displayed(), reader.css("#send")[0].is_displayed()) == (True, False)
    assert reader.js("document.getElementById('spoken').textContent") == ""
    assert reader.css("#spoken")[0].get_attribute("role") == "log"
    reader.chat.gate.set()
    reader.until(lambda: "Answered from the docs" in reader.text(".badge"))
    spoken = reader.js("document.getElementById('spoken').textContent")
    assert "Answered from the docs. Hold the button on the lamp for three seconds" in spoken
    assert "2 linked sections" in spoken
    assert "Copy" not in spoken
    assert (reader.css("#stop")[0].is_displayed(), reader.css("#send")[0].is_displayed()) == (False, True)


def test_the_last_event_replaces_the_sources_and_markers_lead_to_exact_headings(reader: Reader) -> None:
    reader.answered("How do I pair a lamp?", "Written by Gemini")
    assert reader.text(".sources .number").split() == ["1", "2"]
    assert reader.text(".sources .path").split("\n") == ["Install Lantern ›", "Configure › Radio ›"]
    assert reader.text(".sources .leaf").split("\n") == ["Pair a lamp", "Range and walls"]
    links = [link.get_attribute("href") for link in reader.css(".sources a")]
    assert links == [f"{reader.base}/docs/install#pair-a-lamp", f"{reader.base}/docs/configure#range"]
    markers = [(marker.text, marker.get_attribute("href")) for marker in reader.css("sup a.marker")]
    assert markers == [("1", links[0]), ("2", links[1]), ("1", links[0]), ("2", links[1])]
    assert reader.css("sup a.marker")[0].accessible_name == "Source 1: Install Lantern, Pair a lamp, opens in a new tab"


def test_the_answers_markdown_becomes_elements(reader: Reader) -> None:
    reader.answered("How do I pair a lamp?", "Answered")
    assert reader.text(".text strong") == "three seconds"
    assert reader.text(".text pre code") == "lantern pair --name kitchen"
    assert len(reader.css(".text ol > li")) == 3
    assert reader.css(".text ol a:not(.marker)")[0].get_attribute("href") == f"{reader.base}/docs/configure#the-settings-file"


def test_a_source_opens_its_page_at_the_heading_and_the_heading_stands_out(reader: Reader) -> None:
    reader.answered("How do I pair a lamp?", "Answered")
    reader.css(".sources a")[0].click()
    reader.until(lambda: len(reader.driver.window_handles) == 2)
    reader.driver.switch_to.window(reader.driver.window_handles[1])
    reader.until(lambda: reader.css(":target") and reader.js("scrollY") > 0)
    assert reader.text(":target").startswith("Pair a lamp")
    assert 60 < reader.js("document.querySelector(':target').getBoundingClientRect().top") < 120
    assert reader.js("getComputedStyle(document.querySelector(':target')).backgroundColor") != "rgba(0, 0, 0, 0)"
    assert reader.js("opener") is None


def test_what_the_docs_do_not_say_is_no_answer_and_offers_the_nearest_sections(reader: Reader) -> None:
    reader.answered("unknown bread", "Not in the docs")
    assert reader.text(".sources h3") == "Closest sections"
    assert [link.get_attribute("href") for link in reader.css(".sources a")] == [
        f"{reader.base}/docs/install#pair-a-lamp",
        f"{reader.base}/docs/commands#lantern-reset",
    ]
    assert reader.text(".badge") == "Not in the docs"


def test_a_degraded_answer_says_in_words_which_parts_failed(reader: Reader) -> None:
    reader.answered("partly", "Answered in part")
    assert "The language model was not available" in reader.text(".notes")
    assert "only the words were compared" in reader.text(".notes")
    assert reader.text(".badge") == "Answered in part\nQuoted from the docs"
    assert reader.text("blockquote").startswith("Hold the button")


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("failing", "The search index is unavailable"),
        ("broken", "The answer broke off"),
        ("down", "The search index is unavailable"),
    ],
)
def test_a_failure_is_told_and_asked_again_at_a_press(reader: Reader, question: str, title: str) -> None:
    reader.ask(question)
    reader.until(lambda: title in reader.text(".problem"))
    assert title in reader.js("document.getElementById('spoken').textContent")
    assert ("incomplete" in reader.text(".text")) == (question != "down")
    reader.css(".retry")[0].click()
    reader.until(lambda: "Answered from the docs" in reader.text(".badge"))
    assert [ask.query for ask in reader.chat.asked] == [question, question]
    assert (len(reader.css(".turn")), reader.css(".problem")) == (1, [])


def test_a_busy_service_is_asked_again_when_its_time_has_come_and_not_before(reader: Reader) -> None:
    reader.ask("busy")
    reader.until(lambda: "Too many questions" in reader.text(".problem"))
    retry = reader.css(".retry")[0]
    assert retry.text in {"Try again in 2 s", "Try again in 1 s"}
    retry.click()
    assert len(reader.chat.asked) == 1
    reader.until(lambda: retry.text == "Try again")
    retry.click()
    reader.until(lambda: "Answered from the docs" in reader.text(".badge"))


def test_a_refused_question_offers_no_second_try(reader: Reader) -> None:
    reader.ask("invalid")
    reader.until(lambda: "The request is not valid" in reader.text(".problem"))
    assert reader.css(".retry") == []


def test_without_a_network_the_page_says_so(reader: Reader) -> None:
    reader.driver.set_network_conditions(offline=True, latency=0, throughput=1_000_000)
    try:
        reader.ask("How do I pair a lamp?")
        reader.until(lambda: "You are offline" in reader.text(".problem"))
    finally:
        reader.driver.delete_network_conditions()
    reader.css(".retry")[0].click()
    reader.until(lambda: "Answered from the docs" in reader.text(".badge"))


@pytest.mark.parametrize("how", ["button", "escape"])
def test_a_slow_answer_stops_at_a_press_and_the_service_hears_of_it(reader: Reader, how: str) -> None:
    reader.ask("slow")
    reader.until(lambda: "Hold the button" in reader.text(".text"))
    if how == "button":
        reader.css("#stop")[0].click()
    else:
        reader.press(Keys.ESCAPE)
    reader.until(lambda: "Stopped" in reader.text(".badge"))
    reader.until(lambda: reader.chat.left == 1)
    assert "Hold the button" in reader.text(".text")
    assert reader.js("document.activeElement.id") == "question"
    reader.css(".retry")[0].click()
    reader.until(lambda: "Answered from the docs" in reader.text(".badge"))


def test_hostile_answers_titles_and_addresses_stay_text(reader: Reader) -> None:
    reader.answered("evil", "Answered")
    hrefs = [link.get_attribute("href") for link in reader.css(".turn a")]
    assert hrefs == []
    assert reader.css(".turn script, .turn img, .turn svg, .turn i, .turn b") == []
    assert "<script>window.hit='script'</script>" in reader.text(".text")
    assert reader.text(".sources .path") == "<img src=x onerror=window.hit=5> ›"
    assert reader.text(".sources .leaf") == "<b>Evil</b>"
    assert "[9]" in reader.text(".text")
    reader.driver.execute_script("for (const e of document.querySelectorAll('.turn *')) e.click()")


def test_a_hostile_question_stays_text(reader: Reader) -> None:
    reader.answered("<img src=x onerror=window.hit=7> hi", "Answered")
    assert reader.css(".question img") == []
    assert "<img src=x" in reader.text(".question")


def test_the_whole_conversation_works_by_keyboard(reader: Reader) -> None:
    assert reader.js("document.activeElement.id") == "question"
    reader.js("document.querySelector('.skip').focus()")
    order = []
    for _ in range(9):
        active = reader.driver.switch_to.active_element
        order.append(active.accessible_name)
        assert reader.js("getComputedStyle(document.activeElement).outlineStyle") == "solid" or active.tag_name == "textarea"
        active.send_keys(Keys.TAB)
    assert order == [
        "Skip to the question field",
        "Ask AI",
        "Read the docs",
        *(b.text for b in reader.css(".starters button")),
        "Your question",
        "Send",
    ]
    reader.css("#question")[0].send_keys("How do I pair", Keys.SHIFT, Keys.ENTER, Keys.SHIFT, "a lamp?", Keys.ENTER)
    reader.until(lambda: "Answered" in reader.text(".badge"))
    assert reader.chat.asked[0].query == "How do I pair\na lamp?"
    assert reader.js("document.activeElement.id") == "question"
    reader.driver.switch_to.active_element.send_keys(Keys.SHIFT, Keys.TAB, Keys.SHIFT)
    assert "Range and walls" in reader.driver.switch_to.active_element.accessible_name
    assert reader.js("getComputedStyle(document.activeElement, '::before').outlineStyle") == "solid"
    reader.press(Keys.ENTER)
    reader.until(lambda: len(reader.driver.window_handles) == 2)


def test_a_conversation_keeps_its_id_until_a_new_one_is_begun(reader: Reader) -> None:
    reader.answered("How do I pair a lamp?", "Answered")
    reader.answered("And reset it?", "Answered")
    reader.css("#fresh")[0].click()
    assert (reader.css(".turn"), reader.css(".starters button")[0].is_displayed()) == ([], True)
    reader.answered("Another matter?", "Answered")
    assert [ask.conversation_id for ask in reader.chat.asked] == [None, "c_1", None]


def test_code_is_copied_or_at_least_selected_at_a_press(reader: Reader) -> None:
    reader.answered("How do I pair a lamp?", "Answered")
    button = reader.css(".copy")[0]
    button.click()
    reader.until(lambda: button.text in {"Copied", "Selected"})
    reader.until(lambda: button.text == "Copy")
