"""Progress for a person: one line redrawn on a terminal, a line every few seconds elsewhere."""

from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import TextIO

BAR_WIDTH = 30
RATE_SECONDS = 10.0  # the rate shown is that of the last ten seconds
TERMINAL_SECONDS, FILE_SECONDS = 0.1, 5.0


class Display:
    """Draws how far the replay is. Times in seconds of a monotonic clock."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = monotonic) -> None:
        self._out = out
        self._clock = clock
        self._terminal = out.isatty()
        self._interval = TERMINAL_SECONDS if self._terminal else FILE_SECONDS
        self._drawn_at = float("-inf")
        self._open = False
        self._past: deque[tuple[float, int]] = deque()

    def say(self, sentence: str) -> None:
        """A line that stays."""
        self._end()
        print(sentence, file=self._out, flush=True)

    def sent(self, done: int, total: int) -> None:
        """So many events of all have been acknowledged."""
        rate = self._rate(done)
        filled = BAR_WIDTH * done // max(total, 1)
        left = f", {_duration((total - done) / rate)} left" if rate and done < total else ""
        self._draw(
            f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {done:,} of {total:,} events, "
            f"{rate:,.0f}/s{left}",
            now=done >= total,
        )

    def behind(self, what: str) -> None:
        """What still has to catch up."""
        self._draw(f"catching up: {what}")

    def waiting(self, why: str) -> None:
        """Why a batch is being tried again."""
        self._draw(f"waiting: {why}")

    def _rate(self, done: int) -> float:
        now = self._clock()
        self._past.append((now, done))
        while len(self._past) > 2 and now - self._past[1][0] >= RATE_SECONDS:
            self._past.popleft()
        since, before = self._past[0]
        return (done - before) / (now - since) if now > since else 0.0

    def _draw(self, text: str, *, now: bool = False) -> None:
        if not now and self._clock() - self._drawn_at < self._interval:
            return
        self._drawn_at = self._clock()
        self._open = self._terminal
        beginning, end = ("\r\x1b[K", "") if self._terminal else ("", "\n")
        print(beginning + text, end=end, file=self._out, flush=True)

    def _end(self) -> None:
        if self._open:
            self._open = False
            print(file=self._out)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
