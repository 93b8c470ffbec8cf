"""What ends a training without a model."""


class CannotTrain(Exception):  # noqa: N818 - it says what is missing
    """`code` is stable (words: `services/scoring/words.py`); `context` fills in its words."""

    def __init__(self, code: str, **context: object) -> None:
        super().__init__(f"{code} {context}" if context else code)
        self.code = code
        self.context = context
