"""Structured logs, one JSON object a line on standard error, without personal data.

Values of customers end up in messages of exceptions ("invalid input for ..."), so of an exception
only its type, its stack and what cannot hold such a value are written. Say `exc_info=True`, the
rest happens here.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, TextIO, cast

import orjson
import structlog
from structlog.typing import FilteringBoundLogger

from shared.errors import TenureError, sqlstate

_Event = MutableMapping[str, Any]
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
    return orjson.dumps(dict(event), default=lambda value: type(value).__qualname__).decode()


def _name_module(_logger: Any, _method: str, event: _Event) -> _Event:
    event["module"] = event["_record"].name
    return event


def configure(
    *, service: str, process: str, level: str = "INFO", stream: TextIO | None = None
) -> None:
    """Send everything, libraries too, as JSON to `stream` (standard error). Once per process."""

    def name_process(_logger: Any, _method: str, event: _Event) -> _Event:
        event["service"] = service
        event["process"] = process
        return event

    numeric = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    first: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        name_process,
    ]
    last: list[structlog.typing.Processor] = [_describe_exception, _render]
    target = stream or sys.stderr
    # Our own lines go straight to the stream; the standard library's loggers cost twice as much.
    structlog.configure(
        processors=[*first, *last],
        logger_factory=structlog.WriteLoggerFactory(file=target),
        wrapper_class=structlog.make_filtering_bound_logger(numeric),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*first, _name_module],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
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
