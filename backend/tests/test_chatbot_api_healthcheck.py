"""What a container without curl asks of its own service: exit code 0 when it is live, 1 and one line when it is not."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI, Response

from dead_port import dead_port
from lantern import serving_app
from processes import ran

COMMAND = ["-m", "chatbot_api.healthcheck"]


def app_that_says(status: int) -> FastAPI:
    app = FastAPI()

    @app.get("/health/live")
    async def live() -> Response:
        return Response(status_code=status)

    return app


@pytest.mark.parametrize("host", ["", "0.0.0.0", "127.0.0.1"])
def test_a_live_service_is_healthy_whatever_address_it_listens_on(tmp_path: Path, host: str) -> None:
    with serving_app(app_that_says(200)) as url:
        done = ran(COMMAND, tmp_path, HOST=host, PORT=str(urlsplit(url).port))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_service_that_answers_otherwise_is_not(tmp_path: Path) -> None:
    with serving_app(app_that_says(503)) as url:
        done = ran(COMMAND, tmp_path, PORT=str(urlsplit(url).port))
    assert (done.returncode, done.stderr) == (1, "not live: 503\n")


def test_a_port_where_nobody_listens_is_not_and_no_traceback_is_logged_for_it(tmp_path: Path) -> None:
    with dead_port() as port:
        done = ran(COMMAND, tmp_path, PORT=str(port))
    assert (done.returncode, done.stderr) == (1, "not live: ConnectionRefusedError\n")
