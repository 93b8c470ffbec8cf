"""What a person sees while it runs."""

import io

from deploy.demo.display import Display


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_terminal_gets_one_line_that_is_redrawn():
    out, clock = Terminal(), Clock()
    display = Display(out, clock)
    for second in range(3):
        clock.now = float(second)
        display.sent(second * 100, 1000)
    display.say("done")
    *bars, last = out.getvalue().split("\r\x1b[K")
    assert len(bars) == 3
    assert last == "[######........................] 200 of 1,000 events, 100/s, 8 s left\ndone\n"


def test_a_file_gets_a_line_every_few_seconds_and_the_last():
    out, clock = io.StringIO(), Clock()
    display = Display(out, clock)
    for second in range(13):
        clock.now = float(second)
        display.sent(second * 10, 120)
    lines = out.getvalue().splitlines()
    assert [line.split("] ")[1].split(" of")[0] for line in lines] == ["0", "50", "100", "120"]
    assert "left" not in lines[-1]


def test_the_rate_is_that_of_the_last_seconds():
    out, clock = io.StringIO(), Clock()
    display = Display(out, clock)
    for second, done in [(0, 0), (20, 100), (30, 1100), (40, 2100)]:
        clock.now = float(second)
        display.sent(done, 10_000)
    assert "2,100 of 10,000 events, 100/s, 1 min 19 s left" in out.getvalue()


def test_other_states_are_named():
    out = io.StringIO()
    display = Display(out, Clock())
    display.behind("profile-worker 5 left")
    assert out.getvalue() == "catching up: profile-worker 5 left\n"
    out = io.StringIO()
    Display(out, Clock()).waiting("no answer")
    assert out.getvalue() == "waiting: no answer\n"
