"""Dialogues as readers have them, three questions each, with the pages that answer; None where the docs do not."""

OURS: tuple[tuple[tuple[str, str | None], ...], ...] = (
    (
        ("How do I start the service?", "quickstart deploying"),
        ("and on another port?", "quickstart configuration troubleshooting"),
        ("Which Python version does it need?", "quickstart troubleshooting development"),
    ),
    (
        ("How do I have Gemini write the answers?", "gemini quickstart offline-mode"),
        ("What does it cost?", "gemini intro"),
        ("And what happens when it is down?", "gemini how-an-answer-is-made"),
    ),
    (
        ("How do I put nginx in front of the service?", "deploying"),
        ("And Caddy?", "deploying"),
        ("What is stored about readers?", "security"),
    ),
    (
        ("How do I index a folder of Markdown files?", "index-your-site quickstart"),
        ("Who won the football world cup?", None),
        ("And what about a site that is already online?", "index-your-site"),
    ),
    (
        ("What is the relevance gate?", "how-an-answer-is-made retrieval-quality"),
        ("How do I change it?", "configuration retrieval-quality how-an-answer-is-made troubleshooting"),
        ("Why does it count words too?", "retrieval-quality"),
    ),
    (
        ("How do I stream an answer?", "widget-contract quickstart"),
        ("Show me an example", "widget-contract quickstart"),
        ("What does it mean when it just ends?", "widget-contract troubleshooting errors"),
    ),
    (
        ("Can I run the service without an API key?", "offline-mode intro gemini quickstart"),
        ("How much memory does that need?", "offline-mode"),
        ("And which languages?", "offline-mode how-an-answer-is-made"),
    ),
    (
        ("Why do I get a 422 error?", "errors troubleshooting widget-contract"),
        ("and 415?", "errors troubleshooting"),
        ("How do I report a security vulnerability?", "security"),
    ),
    (
        ("How do I keep answers to the reader's version of the docs?", "widget-contract how-an-answer-is-made"),
        ("what about the language?", "widget-contract how-an-answer-is-made"),
        ("What happens if nothing is found there?", "how-an-answer-is-made widget-contract"),
    ),
    (
        ("Which tools' Qdrant collections can be read?", "existing-collections qdrant"),
        ("Does it change them?", "existing-collections qdrant"),
        ("How do I run the tests?", "development"),
    ),
    (
        ("What does the log look like?", "health-and-logs"),
        ("Are the questions written to it?", "health-and-logs security"),
        ("How do I make it more verbose?", "health-and-logs configuration"),
    ),
    (
        ("Do I have to index again when I change the embedding model?", "gemini index-your-site configuration"),
        ("why?", "gemini index-your-site configuration qdrant offline-mode"),
        ("How long does that take?", "index-your-site offline-mode"),
    ),
)
"""Over this project's own documentation."""

JEST: tuple[tuple[tuple[str, str | None], ...], ...] = (
    (
        ("How do I mock a module?", "mock-functions manual-mocks jest-object bypassing-module-mocks"),
        ("and only a part of it?", "mock-functions jest-object bypassing-module-mocks"),
        ("How do I reset it after each test?", "mock-function-api jest-object configuration"),
    ),
    (
        ("How do I test code that uses setTimeout?", "timer-mocks"),
        ("How do I advance them by a second?", "timer-mocks jest-object"),
        ("What is snapshot testing?", "snapshot-testing"),
    ),
    (
        ("How do I update snapshots?", "snapshot-testing cli"),
        ("Can I do that interactively?", "snapshot-testing"),
        ("Should they be committed?", "snapshot-testing"),
    ),
    (
        ("How do I collect code coverage?", "configuration cli"),
        ("and set a threshold?", "configuration"),
        ("which provider does it use?", "configuration cli"),
    ),
    (
        ("How do I use Jest with TypeScript?", "getting-started"),
        ("and with webpack?", "webpack getting-started"),
        ("What about MongoDB?", "mongodb"),
    ),
    (
        ("How do I test a promise?", "asynchronous tutorial-async"),
        ("what about async/await?", "asynchronous tutorial-async"),
        ("and callbacks?", "asynchronous"),
    ),
    (
        ("How do I run setup code before each test?", "setup-teardown api"),
        ("and only once for all of them?", "setup-teardown api"),
        ("In which order do they run?", "setup-teardown"),
    ),
    (
        ("How do I run only one test file?", "cli getting-started"),
        ("and a single test?", "cli api troubleshooting setup-teardown"),
        ("How do I skip one?", "api"),
    ),
    (
        ("How do I test React components?", "tutorial-react-native testing-frameworks"),
        ("And React Native?", "tutorial-react-native"),
        ("show me an example", "tutorial-react-native"),
    ),
    (
        ("How do I mock an ES6 class?", "es6-class-mocks"),
        ("Who was the first president of the USA?", None),
        ("How do I check that its constructor was called?", "es6-class-mocks mock-function-api expect"),
    ),
    (
        ("Can Jest run with native ES modules?", "ecmascript-modules"),
        ("how do I mock them there?", "ecmascript-modules jest-object"),
        ("Why is it still experimental?", "ecmascript-modules"),
    ),
    (
        ("What does toEqual check?", "expect using-matchers"),
        ("And toBe?", "expect using-matchers"),
        ("How do I migrate from Mocha?", "migration-guide"),
    ),
)
"""Over Jest's documentation: written apart, to see that the rules fit other docs than ours."""
