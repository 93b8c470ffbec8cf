import asyncpg
import httpx
import pytest
from aiokafka import errors as kafka

from shared.errors import (
    Conflict,
    Fenced,
    Gap,
    MethodNotAllowed,
    NotCaughtUp,
    NotFound,
    Pause,
    Poison,
    Problem,
    TenureError,
    TooManyRequests,
    Unauthorised,
    Unavailable,
    UnknownType,
    is_data_error,
    is_pause,
    is_statement_timeout,
    sqlstate,
)


def interface(message: str) -> Exception:
    return asyncpg.InterfaceError(message)


PAUSES = [
    Pause("broker"),
    Unavailable(),
    ConnectionRefusedError(111, "refused"),
    TimeoutError(),
    FileNotFoundError(2, "no such socket"),
    OSError(28, "no space left"),
    EOFError(),
    asyncpg.ConnectionDoesNotExistError("lost"),
    asyncpg.CannotConnectNowError("starting up"),
    asyncpg.AdminShutdownError("shutting down"),
    asyncpg.TooManyConnectionsError("too many"),
    asyncpg.DiskFullError("full"),
    asyncpg.SerializationError("again"),
    asyncpg.DeadlockDetectedError("again"),
    asyncpg.LockNotAvailableError("lock_timeout"),
    asyncpg.IdleInTransactionSessionTimeoutError("slept"),
    asyncpg.InvalidCachedStatementError("migrated"),
    interface("connection is closed"),
    interface("cannot call Connection.execute(): connection has been released back to the pool"),
    interface("pool is closing"),
    asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"),
    kafka.KafkaConnectionError("away"),
    kafka.KafkaTimeoutError("late"),
    kafka.NotLeaderForPartitionError("moved"),
    kafka.NotEnoughReplicasError("few"),
    kafka.OutOfOrderSequenceNumber("hole"),
    kafka.ProducerClosed(),
    httpx.ConnectError("refused"),
    httpx.ReadTimeout("late"),
    RuntimeError(
        "unable to perform operation on <TCPTransport closed=True>; the handler is closed"
    ),
    ExceptionGroup("both", [TimeoutError(), ConnectionResetError()]),
]
DATA = [
    asyncpg.NumericValueOutOfRangeError("too big"),
    asyncpg.CharacterNotInRepertoireError("NUL"),
    asyncpg.UniqueViolationError("twice"),
    asyncpg.CardinalityViolationError("twice in one statement"),
    asyncpg.ProgramLimitExceededError("index row too long"),
    asyncpg.exceptions._base.DataError("invalid input for query argument $1"),
    UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
]
NEITHER = [
    ValueError("ours"),
    KeyError("ours"),
    RuntimeError("ours"),
    Poison("bad_data"),
    Fenced(),
    Gap(),
    Conflict("conflict"),
    asyncpg.UndefinedTableError("no such table"),
    asyncpg.PostgresSyntaxError("SELEC"),
    asyncpg.InvalidPasswordError("no"),
    interface("cannot perform operation: another operation is in progress"),
    asyncpg.exceptions._base.ClientConfigurationError("bad url"),
    asyncpg.InternalClientError("unknown error in protocol implementation"),
    kafka.OffsetOutOfRangeError(),
    kafka.NoOffsetForPartitionError(),
    kafka.RecordTooLargeError(),
    kafka.CorruptRecordException(),
    ExceptionGroup("mixed", [TimeoutError(), ValueError()]),
]


def name(exc: Exception) -> str:
    return f"{type(exc).__name__}-{exc}"[:40]


@pytest.mark.parametrize("exc", PAUSES, ids=name)
def test_the_world_is_away(exc):
    assert is_pause(exc)
    assert not is_data_error(exc)


@pytest.mark.parametrize("exc", DATA, ids=name)
def test_a_value_is_to_blame(exc):
    assert is_data_error(exc)
    assert not is_pause(exc)


@pytest.mark.parametrize("exc", NEITHER, ids=name)
def test_neither_is_a_mistake_of_ours_or_has_an_own_answer(exc):
    assert not is_pause(exc)
    assert not is_data_error(exc)


def test_a_statement_timeout_halves_the_batch_and_is_no_pause():
    exc = asyncpg.QueryCanceledError("canceling statement due to statement timeout")
    assert is_statement_timeout(exc)
    assert not is_pause(exc)
    assert not is_data_error(exc)
    assert sqlstate(exc) == "57014"
    assert sqlstate(ValueError()) is None


def test_a_library_that_is_not_loaded_is_not_imported(monkeypatch):
    for module in ("asyncpg", "aiokafka.errors", "httpx"):
        monkeypatch.delitem(__import__("sys").modules, module)
    assert not is_pause(ValueError())
    assert is_pause(TimeoutError())


def every_subclass(kind: type) -> set[type]:
    return {kind, *(sub for each in kind.__subclasses__() for sub in every_subclass(each))}


def test_the_tree_in_the_docstring_is_complete():
    from shared import errors

    ours = {kind for kind in every_subclass(TenureError) if kind.__module__ == "shared.errors"}
    missing = {kind.__name__ for kind in ours if f"-- {kind.__name__} " not in errors.__doc__}
    assert missing == {"TenureError", "_Later"}
    for kind in every_subclass(Problem) & ours - {Problem, errors._Later}:
        assert f"-- {kind.__name__} " in errors.__doc__
        assert str(kind.status) in errors.__doc__


def test_problems_carry_their_headers():
    assert Unavailable().headers == {"Retry-After": "1"}
    assert Unavailable(retry_after=2.2).headers == {"Retry-After": "3"}
    assert TooManyRequests(retry_after=0).headers == {"Retry-After": "1"}
    assert NotCaughtUp().status == 504
    assert "Basic" in Unauthorised().headers["WWW-Authenticate"]
    assert MethodNotAllowed("GET, POST").headers == {"Allow": "GET, POST"}
    assert MethodNotAllowed("").headers == {}


def test_a_problem_reads_as_its_code():
    assert str(NotFound("customer_not_found")) == "customer_not_found"
    assert str(Conflict("wrong_state", "it is closed")) == "wrong_state: it is closed"


def test_poison_names_a_code_that_fits_a_label():
    assert Poison("bad_data: amount is missing").code == "bad_data"
    exc = UnknownType("purchase.exchanged", "purchase.exchanged/1")
    assert (exc.code, exc.type, exc.dataschema) == (
        "unknown_type",
        "purchase.exchanged",
        "purchase.exchanged/1",
    )
