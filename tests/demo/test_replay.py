"""The whole command against a fake system that fails in the middle."""

import json
import signal
from datetime import timedelta

import pytest

from deploy.demo import __main__ as command
from deploy.demo import catch_up, replay
from deploy.demo import door as door_module
from tests.demo.fake_door import CAUGHT_UP, fake_door, trouble
from tests.demo.reading import NOW


@pytest.fixture
def door():
    with fake_door() as server:
        yield server


@pytest.fixture
def start(door, lines, small, tmp_path, monkeypatch, capsys):
    """Starts the command as `make run` does; returns its exit status and what it printed."""
    (tmp_path / "key").write_text("secret\n")
    worker = {"name": "profile-worker", "pid": 1, "address": door.origin}
    other = {"name": "supervisor", "pid": 2, "address": None}
    (tmp_path / "processes.json").write_text(json.dumps({"processes": [worker, other]}))
    monkeypatch.setattr(replay.baskets, "load", lambda **_: lines)
    monkeypatch.setattr(replay, "prepare", lambda *_, **__: small)  # prepared once for all tests
    monkeypatch.setattr(door_module, "FIRST_PAUSE_SECONDS", 0.01)

    def start(*arguments, now=NOW):
        status = command.main(
            [
                *("--origin", door.origin, "--mode", "small", "--state", str(tmp_path / "state")),
                *("--key-file", str(tmp_path / "key")),
                *("--processes", str(tmp_path / "processes.json"), *arguments),
            ],
            now,
        )
        return status, capsys.readouterr().out

    before = signal.getsignal(signal.SIGTERM)
    yield start
    signal.signal(signal.SIGTERM, before)


def test_everything_is_sent_once_and_the_history_closed(start, door, small, weeks):
    status, said = start()
    history = f"completejourney-{weeks.weeks}-small"
    assert status == 0
    assert f"replayed {small.events} events\n" in said
    assert len(door.taken) == small.events
    assert not door.repeated.total()
    assert door.keys == {"Bearer secret"}
    assert door.paths == {
        f"/v1/events?history={history}": len(small.batches),
        f"/v1/history/{history}/close": 1,
    }


def test_what_to_try_names_a_real_customer(start, small):
    _, said = start()
    assert f"/v1/customers/member_no:{small.household}?include=scores'" in said
    assert 'curl -s -H "Authorization: Bearer $(cat ' in said


def test_a_finished_replay_is_not_repeated(start, door, small):
    start()
    sent = door.paths.total()
    status, said = start()
    assert status == 0
    assert f"already replayed {small.events} events\n" in said
    assert door.paths.total() == sent


def test_an_interrupted_replay_goes_on_from_the_last_acknowledged_batch(start, door, small):
    door.fails_after = 4_000
    status, said = start()
    assert status == 1
    assert "answered 403, missing_scope, The key may not publish." in said
    taken = len(door.taken)
    assert 4_000 <= taken < small.events
    assert not any("/close" in path for path in door.paths)

    door.fails_after = None
    status, said = start(now=NOW + timedelta(days=30))
    assert status == 0
    assert f"replayed {small.events} events\n" in said
    assert len(door.taken) == small.events
    assert door.repeated.total() <= 4 * 500  # at most what was in flight


def test_the_shift_of_an_interrupted_replay_is_kept(start, door, weeks, tmp_path):
    door.fails_after = 0
    start()
    start(now=NOW + timedelta(days=30))
    assert json.loads((tmp_path / "state" / "shift.json").read_text()) == {"weeks": weeks.weeks}


def test_a_torn_line_counts_as_not_acknowledged(start, door, small, tmp_path):
    door.fails_after = 4_000
    start()
    progress = tmp_path / "state" / "progress-small"
    progress.write_text(progress.read_text()[:-9])
    door.fails_after = None
    assert start()[0] == 0
    assert len(door.taken) == small.events
    start()
    lines = progress.read_text().splitlines()
    assert json.loads(lines[-1])["finished"] == small.events


def test_a_batch_of_other_content_is_sent_again(start, door, small, tmp_path):
    state = tmp_path / "state"
    state.mkdir()
    state.joinpath("progress-small").write_text('{"batch": 0, "checksum": 1}\n')
    assert start()[0] == 0
    assert len(door.taken) == small.events


def test_a_busy_door_is_asked_again_when_it_says(start, door, small):
    door.queued = [trouble(503, "1"), trouble(429, "0"), trouble(502), trouble(500)]
    status, _ = start("--in-flight", "1")
    assert status == 0
    assert len(door.taken) == small.events
    assert not door.repeated.total()


def test_a_door_that_never_opens_ends_the_replay_with_a_sentence(start, door, monkeypatch):
    monkeypatch.setattr(door_module.Door.__init__, "__kwdefaults__", {"patience": 0.05})
    door.queued = [trouble(503, code="unavailable", message="Away.")] * 100
    status, said = start()
    assert status == 1
    assert "The replay stopped. POST /v1/events" in said
    assert "answered 503, unavailable, Away.; tried for 0 s." in said


def test_rejected_events_are_named_with_their_reasons(start, door):
    items = [
        {"id": f"cj-basket-{n}", "status": "rejected", "code": "invalid", "message": f"No {n}."}
        for n in range(5)
    ]
    door.queued = [(200, {}, {"accepted": 495, "duplicate": 0, "rejected": 5, "items": items})]
    status, said = start()
    assert status == 1
    assert "rejected 5 events" in said
    assert "cj-basket-0 (invalid: No 0.)" in said
    assert "cj-basket-3" not in said


def test_events_without_a_verdict_are_an_error(start, door):
    door.queued = [(200, {}, {"accepted": 1, "duplicate": 0, "rejected": 0})]
    status, said = start()
    assert status == 1
    assert "answered for 1 of 500 events" in said


def test_the_end_is_told_only_when_workers_have_caught_up_twice_in_a_row(start, door):
    behind = {**CAUGHT_UP, "caught_up": False, "lag": {"events": 7}}
    due = {**CAUGHT_UP, "due": 3}
    door.standings = [behind, CAUGHT_UP, due, {"ready": False}, CAUGHT_UP, behind]
    status, said = start()
    assert status == 0
    assert not door.standings
    assert "replayed" in said.split("catching up")[-1]


def test_a_missing_key_or_process_file_is_one_sentence(start, tmp_path):
    tmp_path.joinpath("processes.json").write_text('{"processes": []}')
    status, said = start()
    assert (status, said.count("names no worker.")) == (1, 1)
    tmp_path.joinpath("key").unlink()
    status, said = start()
    assert (status, said.count("The key cannot be read")) == (1, 1)


def test_a_worker_that_stays_away_ends_the_replay_with_a_sentence(start, door, monkeypatch):
    monkeypatch.setattr(catch_up.caught_up, "__kwdefaults__", {"stalled": 0.5})
    door.standings = [{"ready": False}] * 100
    status, said = start()
    assert status == 1
    assert "Nothing has moved for 0 s: profile-worker does not answer." in said
    door.standings = []
    assert start()[0] == 0
    assert not door.repeated.total()


def test_an_absent_origin_ends_the_replay_with_a_sentence(start, monkeypatch):
    monkeypatch.setattr(door_module.Door.__init__, "__kwdefaults__", {"patience": 0.05})
    status, said = start("--origin", "http://127.0.0.1:1")
    assert status == 1
    assert "no answer (" in said


def test_an_answer_that_is_not_json_ends_the_replay_with_a_sentence(start, door):
    door.queued = [(200, {}, ["not", "an", "object"])]
    status, said = start()
    assert status == 1
    assert "did not answer with a JSON object." in said


def test_being_told_to_stop_is_not_a_failure_of_the_replay(start, door, small, monkeypatch):
    def interrupted(self, batch):
        signal.raise_signal(signal.SIGTERM)

    with monkeypatch.context() as patch:
        patch.setattr(replay.Ledger, "acknowledge", interrupted)
        status, said = start()
    assert status == 130
    assert "the next start goes on from there" in said
    assert start()[0] == 0
    assert len(door.taken) == small.events


@pytest.mark.parametrize("wrong", [["--origin", "localhost"], ["--batch", "2501"], ["--mode", "x"]])
def test_a_wrong_command_line_is_refused(start, wrong, capsys):
    with pytest.raises(SystemExit) as end:
        start(*wrong)
    assert end.value.code == 2
    assert wrong[0] in capsys.readouterr().err
