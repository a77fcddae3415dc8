"""What a process has learned about the servers that it writes to, and no CapabilityStatement says."""


class Habits:
    """By base URL. A server is trusted to check `If-Match` until it was seen not to: every update is compared
    afterwards anyway, so that the first time is noticed and mended (confirm.py, putback.py)."""

    def __init__(self) -> None:
        self._ignoring: set[str] = set()

    def saw_if_match_ignored(self, target: str) -> None:
        self._ignoring.add(target)

    def ignores_if_match(self, target: str) -> bool:
        return target in self._ignoring
