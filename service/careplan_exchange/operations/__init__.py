"""What a person asks for about exchanges that were made: decide, take up again, look up, prove.

In: the store's ports and, where an exchange has to run again, a function that runs it. Out: receipts and facts.
`reviews.py` decides what waits; `letters.py` takes up what failed; `records.py` reads the ledger; `telling.py`
sends AuditEvents; `history.py` tells the life of a plan. A command or a route is a thin layer over these.
"""

from .history import History
from .letters import DeadLetters
from .records import Records
from .reviews import Decided, Reviews
from .running import Run
from .telling import Teller, Told

__all__ = ["DeadLetters", "Decided", "History", "Records", "Reviews", "Run", "Teller", "Told"]
