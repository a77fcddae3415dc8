"""What the store remembers of a patient, without the bodies: enough to see whether anything is otherwise."""

import msgspec


class BaseOutline(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which resource a Base is of, and the version that we wrote last."""

    identity: str
    type: str
    id: str
    version_id: str


class RequestOutline(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`reverts`: the exchange that is to be taken back, as in ExchangeRequest."""

    reverts: str | None = None


class WaitingOutline(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A review that waits, and what was asked for. `touched`: a person has done something with it."""

    id: str
    request: RequestOutline
    touched: bool = False


class Outline(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """`bases` by their identity, `waiting` oldest first."""

    bases: tuple[BaseOutline, ...] = ()
    waiting: tuple[WaitingOutline, ...] = ()

    @property
    def asks_to_revert(self) -> bool:
        """Whether a person is asked if an exchange is taken back."""
        return any(one.request.reverts is not None for one in self.waiting)
