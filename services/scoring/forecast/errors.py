"""What cannot be forecast, with a stable code."""


class ForecastError(ValueError):
    """Input that a person must change. `code` is stable, the text is for them."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
