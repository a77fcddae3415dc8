"""What a plan store refuses, in words; the same for every adapter."""

from careplan_exchange.errors import UsageError


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
