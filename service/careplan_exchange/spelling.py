"""What a misspelt word was probably meant to be."""

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """The known word that this one is most like (1 is the same word), None where none is as like as that."""
    return next(iter(difflib.get_close_matches(word, sorted(known), n=1, cutoff=likeness)), None)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?`, to be put behind a message or a mend; empty where no known word is like it."""
    near = nearest(word, known)
    return f" Did you mean '{near}'?" if near else ""
