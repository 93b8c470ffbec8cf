import http.server
import threading

import pytest

from deploy.local.clean import main as clean
from deploy.local.processes import hold
from deploy.local.readiness import missing, unready


@pytest.fixture
def answering():
    """A server that answers 503 with the given body, and 200 once there is none."""
    bodies = []

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(503 if bodies else 200)
            self.end_headers()
            self.wfile.write(bodies.pop() if bodies else b"{}")

        def log_message(self, *_args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever).start()
        yield bodies, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"missing": ["database", "log"]}', "database, log"),
        (b'{"missing": []}', "status 503"),
        (b"[]", "status 503"),
        (b"not JSON", "status 503"),
    ],
)
def test_what_a_process_lacks_is_said_in_its_own_words(answering, body, words):
    bodies, address = answering
    bodies.append(body)
    assert missing(address) == words
    assert missing(address) is None


def test_who_does_not_answer_is_named():
    lacking = {"http://127.0.0.1:1": "no answer yet"}
    assert missing("http://127.0.0.1:1") == "no answer yet"
    assert unready({"api": "http://127.0.0.1:1", "worker": "x"}, lacking.get) == {
        "api": "no answer yet"
    }


def test_forgetting_waits_for_the_run_to_end(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LOCAL_DIR", str(tmp_path / ".local"))
    assert clean() == 0
    with hold(tmp_path / ".local" / "lock", ""):
        assert clean() == 1
        assert "make run is running" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="0"):
        clean(["--help"])
    assert (tmp_path / ".local").exists()
    assert clean() == 0
    assert not (tmp_path / ".local").exists()
