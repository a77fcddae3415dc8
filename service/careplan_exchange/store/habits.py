"""What servers were seen to do."""

from sqlalchemy import delete, exists, select

from .part import Part
from .tables import habits

_IGNORES_IF_MATCH = "ignores-if-match"


class KeptHabits(Part):
    """ports.Habits."""

    async def ignores_if_match(self, target: str) -> bool:
        seen = select(exists().where(habits.c.target == target, habits.c.habit == _IGNORES_IF_MATCH))
        return await self._database.read(lambda connection: bool(connection.scalar(seen)))

    async def note_if_match(self, target: str, *, ignored: bool) -> None:
        if await self.ignores_if_match(target) == ignored:
            return  # nearly always; a look costs less than a write
        row = {"target": target, "habit": _IGNORES_IF_MATCH}
        if ignored:
            await self._database.write(lambda connection: self._insert_new(connection, habits, None, row))
            return
        gone = delete(habits).where(habits.c.target == target, habits.c.habit == _IGNORES_IF_MATCH)
        await self._database.write(lambda connection: connection.execute(gone))
