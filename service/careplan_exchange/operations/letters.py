"""Dead letters: what failed for good, looked at, tried again with a fresh read and merge, or put away."""

from collections.abc import Callable
from typing import Any

import msgspec

from careplan_exchange import logs
from careplan_exchange.errors import CareplanError, UsageError
from careplan_exchange.model.deadletter import DeadLetter, LetterState
from careplan_exchange.model.ledger import Entry
from careplan_exchange.model.receipt import Receipt
from careplan_exchange.ports import Clock, Ids, Ledger, PlanStore

from .running import Run


class LetterLine(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A letter in a listing: nothing clinical, nothing that a server wrote. `patient` is a reference."""

    id: str
    patient: str
    target: str
    error: str
    failures: int
    since: str
    state: LetterState


class Replayed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of a letter: the receipt of the new exchange, or the key of the error that keeps it waiting."""

    letter: str
    exchange: str
    receipt: Receipt | None = None
    error: str | None = None
    exit_code: int = 0


class DeadLetters:
    """`run` carries an exchange out again: a fresh read, a fresh plan, a fresh merge. What was about to be sent
    when it failed is never sent."""

    def __init__(self, *, plans: PlanStore, ledger: Ledger, clock: Clock, ids: Ids, run: Run) -> None:
        self._plans = plans
        self._ledger = ledger
        self._clock = clock
        self._ids = ids
        self._run = run

    async def lines(self, state: LetterState | None = "waiting") -> tuple[LetterLine, ...]:
        return tuple(map(line_of, await self._plans.letters(state)))

    async def letter(self, letter_id: str) -> DeadLetter:
        """Everything that is known of one, with what was about to be written. Raises UsageError."""
        letter = await self._plans.letter(letter_id)
        if letter is None:
            raise UsageError(
                f"There is no dead letter {letter_id}.", mend="`careplan deadletter list` shows those that wait."
            )
        return letter

    async def replay(self, letter_id: str, *, by: str) -> Receipt:
        """Run the exchange anew. Where it goes through the letter is closed, where it fails it waits on with one
        failure more. Raises UsageError, CareplanError."""
        letter = await self._waiting(letter_id)
        return await self._again(letter, by, self._ids.new())

    async def replay_all(self, *, by: str, progress: Callable[[int, int], None]) -> tuple[Replayed, ...]:
        """Every letter that waits, oldest first. One that fails again does not end it."""
        found = await self._plans.letters()
        results = []
        for number, letter in enumerate(found, start=1):
            exchange = self._ids.new()
            try:
                receipt = await self._again(letter, by, exchange)
            except CareplanError as error:
                results.append(
                    Replayed(letter=letter.id, exchange=exchange, error=error.key, exit_code=error.exit_code)
                )
            else:
                results.append(Replayed(letter=letter.id, exchange=exchange, receipt=receipt))
            progress(number, len(found))
        return tuple(results)

    async def drop(self, letter_id: str, *, by: str, reason: str) -> None:
        """Put it away unanswered: the plan on the server stays as it is. Raises UsageError."""
        if not reason.strip():
            raise UsageError("A dead letter is dropped with a reason.", mend="Give it with --reason.")
        letter = await self._waiting(letter_id)
        now = self._clock.now().isoformat()
        await self._plans.close_letter(letter.id, "dropped", now, by=by, reason=reason.strip())
        await self._note(logs.LETTER_DROPPED, letter.id, now, by=by)

    async def _again(self, letter: DeadLetter, by: str, exchange: str) -> Receipt:
        # An approval was given to a plan that a person saw, and this will be another one.
        request = msgspec.structs.replace(letter.request, approve=False)
        receipt = await self._run(request, exchange_id=exchange)
        now = self._clock.now().isoformat()
        await self._plans.close_letter(letter.id, "replayed", now, by=by)
        await self._note(logs.LETTER_REPLAYED, letter.id, now, by=by, replayedAs=exchange)
        return receipt

    async def _waiting(self, letter_id: str) -> DeadLetter:
        letter = await self.letter(letter_id)
        if letter.state != "waiting":
            raise UsageError(
                f"The dead letter {letter_id} is {letter.state} already.",
                mend="`careplan deadletter list` shows those that wait.",
            )
        return letter

    async def _note(self, event: str, letter: str, at: str, **data: Any) -> None:
        await self._ledger.append([Entry(exchange=letter, event=event, at=at, data=data)])


def line_of(letter: DeadLetter) -> LetterLine:
    return LetterLine(
        id=letter.id,
        patient=letter.patient,
        target=letter.target,
        error=letter.error,
        failures=letter.failures,
        since=letter.created_at,
        state=letter.state,
    )
