"""What another engine made of a plan that is none of ours to apply."""

from collections.abc import Mapping
from typing import Any

import msgspec

NOTICE = "This is another engine's answer. It was not planned, checked or reviewed here, and is never written."


class DelegatedAction(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One action of the answer: its title, and the kind of request that stands for it, where there is one."""

    title: str
    description: str | None = None
    resource_kind: str | None = None


class Delegated(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer of a server's `$apply`. It was not planned, checked or reviewed here: no safety gate has seen
    it, and nothing here writes it. `answer` is the server's own JSON."""

    plan: str
    server: str
    software: str | None
    patient: str
    actions: tuple[DelegatedAction, ...]
    said: tuple[str, ...]
    answer: Mapping[str, Any]
    notice: str = NOTICE
