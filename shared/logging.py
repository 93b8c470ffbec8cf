"""Structured logs, one JSON object a line on standard error, without personal data.

What is merely told is written at the end of the loop's turn, in one go with what else was told in it; a warning or an
error at once, behind what was told before it.

Values of customers end up in messages of exceptions ("invalid input for ..."), so of an exception
only its type, its stack and what cannot hold such a value are written. Say `exc_info=True`, the
rest happens here.
"""

import asyncio
import atexit
import logging
import sys
import traceback
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from datetime import UTC, datetime
from threading import Lock
from types import TracebackType
from typing import Any, TextIO, cast

import orjson
import structlog
from structlog.typing import FilteringBoundLogger

from shared.errors import TenureError, sqlstate

_Event = MutableMapping[str, Any]
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Which request a line is about."""

_FRAMES = 40
# SQLSTATE classes whose messages name servers, roles and settings, never values of rows.
_HARMLESS = frozenset({"08", "28", "3D", "40", "53", "55", "57", "58"})


def reason(exc: BaseException) -> str:
    """The exception in a few words that cannot contain a customer's value."""
    name = type(exc).__qualname__
    state = sqlstate(exc)
    if state is not None:
        text = str(exc.args[0]) if exc.args and state[:2] in _HARMLESS else ""
        return f"{name} [{state}] {text}".rstrip()
    if isinstance(exc, (TenureError, OSError)) or type(exc).__module__.startswith("aiokafka."):
        return f"{name}: {exc}"
    return name


def stack(trace: TracebackType | None) -> list[str]:
    """`file:line function` from the outermost frame to the one that raised."""
    frames = traceback.extract_tb(trace)[-_FRAMES:]
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]


def _exception_of(info: object) -> BaseException | None:
    if isinstance(info, BaseException):
        return info
    if isinstance(info, tuple) and len(info) > 1:
        return cast("BaseException | None", info[1])
    return sys.exc_info()[1] if info else None


def _describe_exception(_logger: Any, _method: str, event: _Event) -> _Event:
    exc = _exception_of(event.pop("exc_info", None))
    if exc is None:
        return event
    event["error"] = reason(exc)
    event["stack"] = stack(exc.__traceback__)
    cause = exc.__cause__ or exc.__context__
    if cause is not None:
        event["cause"] = reason(cause)
    return event


def _render(_logger: Any, _method: str, event: _Event) -> str:
    return orjson.dumps(
        dict(event), default=lambda value: type(value).__qualname__, option=orjson.OPT_UTC_Z
    ).decode()


def _complete(service: str, process: str) -> Callable[[Any, str, _Event], _Event]:
    def complete(_logger: Any, method: str, event: _Event) -> _Event:
        """All that every line says, and what an exception may say, in one step."""
        request_id = REQUEST_ID.get()
        if request_id is not None:
            event.setdefault("request_id", request_id)
        event["level"] = method
        event["time"] = datetime.now(UTC)
        event["service"] = service
        event["process"] = process
        return _describe_exception(_logger, method, event) if "exc_info" in event else event

    return complete


def _name_module(_logger: Any, _method: str, event: _Event) -> _Event:
    event["module"] = event["_record"].name
    return event


class _Lines:
    """Our own lines, and those of the standard library's loggers, on their way to a stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = Lock()
        self._waiting: list[str] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def info(self, line: str) -> None:
        """Write it soon: one call of the system for all lines of a turn."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.error(line)
            return
        with self._lock:
            self._waiting.append(f"{line}\n")
        if loop is not self._loop:
            self._loop = loop
            loop.call_soon(self.flush)

    def error(self, line: str) -> None:
        """Write it now."""
        self.write(f"{line}\n")
        self.flush()

    debug = info
    warning = critical = error

    def write(self, text: str) -> None:
        """As a stream does; so the standard library's handler may take it for one."""
        with self._lock:
            self._waiting.append(text)

    def flush(self) -> None:
        """Write what waits."""
        with self._lock:
            self._loop = None
            text, self._waiting = "".join(self._waiting), []
            if text:
                self._stream.write(text)
                self._stream.flush()


def configure(
    *, service: str, process: str, level: str = "INFO", stream: TextIO | None = None
) -> None:
    """Send everything, libraries too, as JSON to `stream` (standard error). Once per process."""
    numeric = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    complete = _complete(service, process)
    lines = _Lines(stream or sys.stderr)
    atexit.register(lines.flush)
    # Our own lines go straight to the stream; the standard library's loggers cost twice as much.
    structlog.configure(
        processors=[complete, _render],
        logger_factory=lambda *_: lines,
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(cast("TextIO", lines))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[complete, _name_module],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(numeric)
    for noisy in ("uvicorn.access", "httpx", "httpcore"):  # their lines carry paths and addresses
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for own in ("uvicorn", "uvicorn.error"):
        logging.getLogger(own).handlers.clear()
        logging.getLogger(own).propagate = True


def get_logger(name: str) -> FilteringBoundLogger:
    """A logger; its settings are looked up at the first line written."""
    return cast("FilteringBoundLogger", structlog.get_logger(module=name))
