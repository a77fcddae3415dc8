"""What a plan store or a ledger refuses, in words; the same for every adapter."""

from careplan_exchange.errors import UsageError
from careplan_exchange.model.ledger import Link
from careplan_exchange.model.seals import Seal, Tombstone


def decided(state: str | None) -> UsageError:
    """`state` is the pending change's; None where there is no such change."""
    if state is None:
        return UsageError(
            "No change is kept under this id.", mend="Run `careplan review list` for those that are."
        )
    return UsageError(
        f"This change is {state} already.",
        mend="Run `careplan review list` for the changes that wait; sync the patient again for a new one.",
    )


def other_request(*, by_key: bool) -> UsageError:
    if by_key:
        return UsageError(
            "This idempotency key was used for another request.",
            mend="Send the request as it was the first time, or choose a new key.",
        )
    return UsageError("This exchange id was used for another request.", mend="Choose a new id.")


def other_intent() -> UsageError:
    return UsageError("Another write is open under this id.", mend="Choose a new id for each write.")


def no_exchange() -> UsageError:
    return UsageError("There is no exchange with this id.", mend="Run `careplan audit list` for those that are.")


def closed(state: str | None) -> UsageError:
    """`state` is the dead letter's; None where there is none."""
    if state is None:
        return UsageError("There is no dead letter with this id.", mend="`careplan deadletter list` shows them.")
    return UsageError(
        f"This dead letter is {state} already.", mend="`careplan deadletter list` shows what waits."
    )


def tombstone_in(seal: Seal) -> Tombstone:
    if not isinstance(seal.statement, Tombstone):
        raise UsageError("This seal is no tombstone.", mend="Nothing was removed.")
    return seal.statement


def must_cover(tombstone: Tombstone, first: Link | None, last: Link | None) -> None:
    """Raises UsageError unless the tombstone tells of exactly the entries from `first` to `last`."""
    told = (tombstone.first, tombstone.previous, tombstone.seq, tombstone.hash)
    if first is None or last is None or told != (first.seq, first.previous, last.seq, last.hash):
        raise UsageError(
            "The ledger does not begin with the entries that were to be removed; nothing was removed.",
            mend="Somebody else removed them meanwhile, or changed the ledger: run `careplan audit verify`.",
        )
