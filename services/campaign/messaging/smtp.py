"""Handing mail over by SMTP, so that it is known at any moment whether the server may have taken it.

Until the text is begun nothing has happened, whatever breaks. From then on only the server knows, until it answers.
"""

import asyncio
import contextlib
import re
from email.headerregistry import Address
from time import monotonic

import structlog
from aiosmtplib import SMTP, SMTPException, SMTPResponseException

from services.campaign.messaging.deciding import FAILED, SCHEDULED, SENT, UNCERTAIN, Reply
from services.campaign.messaging.server import MailServer

GO_ON, TOO_BUSY = 354, 421
QUIT_SECONDS = 2.0
UNREACHABLE = "unreachable"
_DOT = re.compile(rb"^\.", re.MULTILINE)

_logger = structlog.get_logger(__name__)


def reply_of(code: int, *, begun: bool) -> Reply:
    """What an answer of the server says about the message."""
    if begun and 200 <= code < 300:
        return Reply(SENT, code=code)
    if 500 <= code < 600:
        return Reply(FAILED, "refused", code)
    if begun and not 400 <= code < 500:
        return Reply(UNCERTAIN, "no_answer")
    return Reply(SCHEDULED, "deferred", code)


class Carrier:
    """Carries messages one after the other, over one connection for as long as the server keeps it."""

    def __init__(self, server: MailServer, sender: Address, seconds: float) -> None:
        """`seconds`: how long the server may take for one answer."""
        self._server = server
        self._sender = sender
        self._seconds = seconds
        self._smtp: SMTP | None = None
        self.begun = False
        """Whether the server may have taken the message that was carried last."""

    async def carry(self, to: str, mail: bytes, deadline: float) -> Reply:
        """Hand over one message. `deadline`: of `time.monotonic`; afterwards its text is not begun any more. Raises
        CancelledError only; then `begun` says what may have happened."""
        self.begun = False
        try:
            async with asyncio.timeout(deadline - monotonic()):
                return await self._carry(to, mail, deadline)
        except Exception as error:
            self._drop()
            known = isinstance(error, (OSError, SMTPException))
            _logger.warning(
                "mail_interrupted",
                cause=type(error).__name__,
                begun=self.begun,
                exc_info=None if known else error,
            )
            return Reply(UNCERTAIN, "no_answer") if self.begun else Reply(SCHEDULED, UNREACHABLE)

    async def _carry(self, to: str, mail: bytes, deadline: float) -> Reply:
        code = await self._announce(to)
        if code != GO_ON:
            await self._start_over()
            return reply_of(code, begun=False)
        smtp = self._smtp
        if monotonic() >= deadline:
            raise TimeoutError  # we stood still meanwhile: others may have taken it for lost
        if smtp is None or smtp.protocol is None or not smtp.is_connected:
            raise ConnectionError
        self.begun = True
        smtp.protocol.write(_DOT.sub(b"..", mail) + b".\r\n")
        answer = await smtp.protocol.read_response(timeout=self._seconds)
        if answer.code == TOO_BUSY:
            self._drop()
        return reply_of(answer.code, begun=True)

    async def _announce(self, to: str) -> int:
        """Say from whom and to whom; the server's answer. A connection that has carried others may be at its end: then
        it is said again on a new one."""
        used = self._smtp is not None and self._smtp.is_connected
        try:
            code = await self._say(to)
        except (OSError, SMTPException):
            if not used:
                raise
            code = TOO_BUSY
        if used and code == TOO_BUSY:
            self._drop()
            return await self._say(to)
        return code

    async def _say(self, to: str) -> int:
        smtp = await self._connected()
        try:
            await smtp.mail(self._sender.addr_spec)
            await smtp.rcpt(to)
            return (await smtp.execute_command(b"DATA")).code
        except SMTPResponseException as error:
            return error.code

    async def _connected(self) -> SMTP:
        """A connection that is ready for a message. Whatever the server says until then is no word on any message."""
        if self._smtp is not None and self._smtp.is_connected:
            return self._smtp
        server = self._server
        self._smtp = SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.tls,
            start_tls=server.starttls,
            validate_certs=server.verified,
            local_hostname=self._sender.domain,
            timeout=self._seconds,
        )
        try:
            await self._smtp.connect()
        except SMTPResponseException as error:
            raise ConnectionError(f"answered {error.code}") from error
        return self._smtp

    async def _start_over(self) -> None:
        """Make the connection ready for the next message, or let go of it."""
        try:
            if self._smtp is not None and self._smtp.is_connected:
                await self._smtp.rset()
        except (OSError, SMTPException):
            self._drop()

    def _drop(self) -> None:
        if self._smtp is not None:
            self._smtp.close()
        self._smtp = None

    async def close(self) -> None:
        """Take leave of the server."""
        with contextlib.suppress(OSError, SMTPException):
            if self._smtp is not None and self._smtp.is_connected:
                async with asyncio.timeout(QUIT_SECONDS):
                    await self._smtp.quit()
        self._drop()
