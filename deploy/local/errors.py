"""What can stop the local run. Each error is one sentence for the person who typed `make run`.

LocalRunError            the sentence; `python -m deploy.local` prints it and exits with 1
├── MissingTool          something must be installed first (Java, Maven, a newer Python)
├── AlreadyRunning       another run of this checkout holds the lock
├── PortInUse            somebody else listens on the origin's port
└── StartFailed          a server or a child did not come up; the sentence names its log
"""


class LocalRunError(Exception):
    """One sentence that says what is wrong and what to do about it."""


class MissingTool(LocalRunError):  # noqa: N818 - reads as what happened
    """A tool that has to be installed first."""


class AlreadyRunning(LocalRunError):  # noqa: N818 - reads as what happened
    """Another process of this checkout holds the lock."""


class PortInUse(LocalRunError):  # noqa: N818 - reads as what happened
    """The address of the origin is taken."""


class StartFailed(LocalRunError):  # noqa: N818 - reads as what happened
    """A server or a child process did not come up."""
