"""Every operation of the ChatKit door, byte for byte but for ids and times, as ``chatkit_transcript.txt`` holds it."""

from pathlib import Path

from chatkit_transcript import Replay, steps_of
from lantern import lantern

pytest_plugins = ["chatkit_package"]
TRANSCRIPT = Path(__file__).parent / "chatkit_transcript.txt"


def test_the_transcript_comes_about_again(tmp_path: Path, book: Path, chatkit_there: None) -> None:
    recorded = TRANSCRIPT.read_text(encoding="utf-8")
    head = recorded.partition("\n### ")[0]
    with lantern(tmp_path, book, chatkit_enabled=True, site_url="https://docs.example.com") as (service, model):
        replay = Replay(service.client, model)
        written = [replay.written(step) for step in steps_of(recorded)]
    assert "\n\n".join([head.strip("\n"), *written]) + "\n" == recorded
