"""What the service answers when it cannot answer: a status, a code for programs, a line to read."""


class RefusedError(Exception):
    """A request that is turned down; `status` is 4xx, `code` one word that stays the same."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def as_json(self) -> dict[str, dict[str, str]]:
        """The body of the answer."""
        return {"error": {"code": self.code, "message": self.message}}
