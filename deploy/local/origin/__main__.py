"""`python -m deploy.local.origin`"""

from deploy.local.origin.app import Origin
from deploy.local.origin.settings import OriginSettings
from shared.http.serving import run, serve
from shared.settings import KernelSettings


async def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    settings = OriginSettings()
    origin = Origin(settings, KernelSettings())
    await serve(origin, settings.host, settings.port)


if __name__ == "__main__":
    run(main())
