"""What the service answers when it cannot answer: a status, a code for programs, a line to read."""

# A full queue is worked off within about a second; a client that comes sooner meets it again.
RETRY_AFTER_S = 1


class RefusedError(Exception):
    """A request that is turned down; `code` is one word that stays the same.

    `status` is 4xx for what the client can change, 503 and 504 for what it can try again later.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def as_json(self) -> dict[str, dict[str, str]]:
        """The body of the answer."""
        return {"error": {"code": self.code, "message": self.message}}

    def headers(self) -> dict[str, str]:
        """The headers of the answer: how to show a token, and when to come again."""
        if self.status == 401:
            return {"WWW-Authenticate": "Bearer"}
        if self.status == 429:
            return {"Retry-After": str(RETRY_AFTER_S)}
        return {}
