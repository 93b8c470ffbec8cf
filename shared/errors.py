# ruff: noqa: N818  (a problem, a poison and a pause are named for what they are)
"""Every error that is ours, drawn as a tree; each knows what becomes of it.

    TenureError
    |-- Problem                   an answer over HTTP: raised anywhere, written by one handler
    |   |-- BadRequest            400
    |   |-- Unauthorised          401  names how to authenticate
    |   |-- Forbidden             403
    |   |-- NotFound              404
    |   |-- MethodNotAllowed      405  names the methods allowed
    |   |-- BodyLate              408  the client takes too long to send its body
    |   |-- Conflict              409
    |   |-- PreconditionFailed    412
    |   |-- TooLarge              413
    |   |-- UnsupportedMediaType  415
    |   |-- Unprocessable         422
    |   |-- TooManyRequests       429  come back later
    |   |-- InternalError         500
    |   |-- Unavailable           503  come back later
    |   `-- NotCaughtUp           504  the write is safe, the projection has not passed it yet
    |-- Poison                    this event, never: quarantined or parked
    |   `-- UnknownType           parked until a version that knows the type applies it
    |-- Pause                     not now: stop, back off, lose nothing
    |-- Fenced                    another owner has this partition
    `-- Gap                       the log lost something: stop this partition and call someone

Errors of libraries are sorted by `is_pause`, `is_statement_timeout`, `is_passing` (either of them) and
`is_data_error`. A library that a process has not loaded cannot have raised, so none is imported here.
"""

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar


class TenureError(Exception):
    """Base of all errors that are ours."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field. `pointer`: a JSON pointer, or `?name` in the query."""

    pointer: str
    code: str
    params: Mapping[str, Any] = field(default_factory=dict)


class Problem(TenureError):
    """An answer over HTTP.

    `code` is stable and has words in `shared.words` or the service's own; `params` fill them in.
    `detail` is for developers, never personal data.
    """

    status: ClassVar[int] = 500

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.params = dict(params or {})

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}" if self.detail else self.code


class BadRequest(Problem):
    """The request cannot be read."""

    status = 400


class Unauthorised(Problem):
    """No key, or one that opens nothing."""

    status = 401

    def __init__(self, code: str = "unauthorised", detail: str = "") -> None:
        super().__init__(code, detail, headers={"WWW-Authenticate": 'Bearer, Basic realm="tenure"'})


class Forbidden(Problem):
    """The key is good, but not for this."""

    status = 403


class NotFound(Problem):
    """There is no such thing."""

    status = 404

    def __init__(self, code: str = "not_found", detail: str = "", **kwargs: Any) -> None:
        super().__init__(code, detail, **kwargs)


class MethodNotAllowed(Problem):
    """The path exists, the method does not. `allow` lists those that do, separated by commas."""

    status = 405

    def __init__(self, allow: str) -> None:
        headers = {"Allow": allow} if allow else {}
        super().__init__("method_not_allowed", headers=headers, params={"allow": allow})


class BodyLate(Problem):
    """The client takes too long to send its body; the connection is closed."""

    status = 408

    def __init__(self) -> None:
        super().__init__("body_late", headers={"Connection": "close"})


class Conflict(Problem):
    """The thing is in a state that forbids this."""

    status = 409


class PreconditionFailed(Problem):
    """If-Match does not match: somebody changed the thing meanwhile."""

    status = 412

    def __init__(self, code: str = "precondition_failed", detail: str = "") -> None:
        super().__init__(code, detail)


class TooLarge(Problem):
    """More than a request may carry."""

    status = 413


class UnsupportedMediaType(Problem):
    """A content type or encoding that is not read here."""

    status = 415


class Unprocessable(Problem):
    """Readable, but it says something that cannot be."""

    status = 422


class _Later(Problem):
    def __init__(self, code: str, detail: str, retry_after: float) -> None:
        seconds = str(max(1, math.ceil(retry_after)))
        super().__init__(code, detail, headers={"Retry-After": seconds})


class TooManyRequests(_Later):
    """More at once than this process takes on. `retry_after` in seconds."""

    status = 429

    def __init__(
        self, code: str = "too_many_requests", detail: str = "", *, retry_after: float = 1
    ) -> None:
        super().__init__(code, detail, retry_after)


class InternalError(Problem):
    """Our own mistake; what it was stands in the log, never in the answer."""

    status = 500

    def __init__(self) -> None:
        super().__init__("internal_error")


class Unavailable(_Later):
    """A database, the log or a service is away. `retry_after` in seconds."""

    status = 503

    def __init__(
        self, code: str = "unavailable", detail: str = "", *, retry_after: float = 1
    ) -> None:
        super().__init__(code, detail, retry_after)


class NotCaughtUp(_Later):
    """A read waited in vain for its projection to pass a position."""

    status = 504

    def __init__(self, code: str = "not_caught_up", detail: str = "") -> None:
        super().__init__(code, detail, 1)


class Poison(TenureError):
    """This event, never. `reason` is a stable code, or one followed by a colon and particulars.

    Particulars hold no personal data.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    @property
    def code(self) -> str:
        """The code in `reason`: one of few, fit for a metric's label."""
        return self.reason.partition(":")[0]


class UnknownType(Poison):
    """A type, or a version of one, that this code does not know yet."""

    def __init__(self, type: str, dataschema: str) -> None:  # noqa: A002  (the envelope's own word)
        super().__init__(f"unknown_type: {type} ({dataschema})")
        self.type = type
        self.dataschema = dataschema


class Pause(TenureError):
    """Not now. `cause` is one of few stable words: it labels a metric."""

    def __init__(self, cause: str = "unavailable") -> None:
        super().__init__(cause)
        self.cause = cause


class Fenced(TenureError):
    """A newer epoch owns the partition: drop everything, commit nothing."""


class Gap(TenureError):
    """A sequence number is missing on the log."""


# Connection, rollback (serialisation, deadlock), resources, operator intervention, system.
_PAUSE_CLASSES = frozenset({"08", "40", "53", "57", "58"})
# Lock not available; the session's idle and transaction timeouts (they end the connection).
_PAUSE_STATES = frozenset({"55P03", "25P03", "25P04"})
_STATEMENT_TIMEOUT = "57014"
# Cardinality, data, constraint, program limit (such as an index entry too long): some row's fault.
_DATA_CLASSES = frozenset({"21", "22", "23", "54"})

_PAUSE_KAFKA = (
    "KafkaConnectionError",
    "KafkaTimeoutError",
    "KafkaUnavailableError",
    "BrokerNotAvailableError",
    "ReplicaNotAvailableError",
    "KafkaStorageError",
    # The producer is lost and its batch's outcome unknown: go on with a new producer.
    "ProducerClosed",
    "ProducerFenced",
    "InvalidProducerEpoch",
    "OutOfOrderSequenceNumber",
    "UnknownProducerId",
)


def _class(module: str, name: str) -> tuple[type[BaseException], ...]:
    """The exception class of a module that is loaded, else nothing (for isinstance)."""
    found = getattr(sys.modules.get(module), name, None)
    return (found,) if isinstance(found, type) else ()


def sqlstate(exc: BaseException) -> str | None:
    """PostgreSQL's five-letter code, where the server sent the error."""
    if isinstance(exc, _class("asyncpg", "PostgresError")):
        state = getattr(exc, "sqlstate", None)
        return state if isinstance(state, str) else None
    return None


def _leaves(exc: BaseException) -> Iterator[BaseException]:
    if isinstance(exc, BaseExceptionGroup):
        for inner in exc.exceptions:
            yield from _leaves(inner)
    else:
        yield exc


def _is_postgres_pause(exc: BaseException) -> bool:
    state = sqlstate(exc)
    if state is not None:
        if isinstance(exc, _class("asyncpg", "InvalidCachedStatementError")):
            return True  # a migration went by; the next attempt prepares anew
        away = state[:2] in _PAUSE_CLASSES and state != _STATEMENT_TIMEOUT
        return away or state in _PAUSE_STATES
    if isinstance(exc, _class("asyncpg", "InterfaceError")):
        # "connection is closed", "pool is closing"; the last, where the server ended it between two statements of a
        # transaction. None has a class of its own.
        return any(words in str(exc) for words in ("clos", "released back to the pool"))
    # The server ended the connection while it was idle, and the client has not seen its end yet.
    if isinstance(exc, _class("asyncpg", "InternalClientError")):
        return "cannot switch to state" in str(exc)
    return False


def _is_kafka_pause(exc: BaseException) -> bool:
    if not isinstance(exc, _class("aiokafka.errors", "KafkaError")):
        return False
    if getattr(exc, "retriable", False):
        return True
    return any(isinstance(exc, _class("aiokafka.errors", name)) for name in _PAUSE_KAFKA)


def _is_pause(exc: BaseException) -> bool:
    if isinstance(exc, TenureError):
        return isinstance(exc, (Pause, Unavailable))
    if isinstance(exc, (OSError, EOFError)):  # connections, timeouts, a full disk, a cut stream
        return True
    if isinstance(exc, _class("httpx", "TransportError")):
        return True
    if isinstance(exc, RuntimeError) and "the handler is closed" in str(exc):
        return True  # uvloop, where somebody writes just as the connection closes; its drivers expect an OSError
    return _is_postgres_pause(exc) or _is_kafka_pause(exc)


def is_pause(exc: BaseException) -> bool:
    """True where trying the same again later can succeed: the world is away, the data is fine."""
    return all(_is_pause(leaf) for leaf in _leaves(exc))


def is_statement_timeout(exc: BaseException) -> bool:
    """True where PostgreSQL cancelled the statement, mostly because it took too long."""
    return sqlstate(exc) == _STATEMENT_TIMEOUT


def is_passing(exc: BaseException) -> bool:
    """True where waiting helps, whatever was asked: away, or too slow just now (a lock, a load)."""
    return is_pause(exc) or is_statement_timeout(exc)


def is_data_error(exc: BaseException) -> bool:
    """True where some value is to blame: the batch is bisected to the event that carries it."""
    state = sqlstate(exc)
    if state is not None:
        return state[:2] in _DATA_CLASSES
    if isinstance(exc, UnicodeEncodeError):  # a lone surrogate on its way to the server
        return True
    # asyncpg's own refusal of an argument shares only its bases with the server's DataError.
    interface = isinstance(exc, _class("asyncpg", "InterfaceError")) and isinstance(exc, ValueError)
    return interface and not isinstance(exc, _class("asyncpg", "ClientConfigurationError"))
