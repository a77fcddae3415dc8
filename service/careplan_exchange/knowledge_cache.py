"""What was compiled from the knowledge folders, kept for the next process. docs/decisions/0008 says why so.

A kept file counts only if it belongs to this user, nobody else may write it, and its name is the digest of every
knowledge file, of this code and of the interpreter. Whatever is wrong with it, it is made anew.
"""

import gc
import hashlib
import os
import pickle  # read only from a file that this user alone can write, see _trusted
import stat
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_KEPT = 4
"""How many are kept: an overlay or two, and the one before an update."""


def cached(folders: Iterable[Path], kind: type[T], make: Callable[[str], T]) -> T:
    """What `make` gives for the content of these folders (it is handed their digest): the kept one where nothing
    has changed since, otherwise made and kept. Raises what `make` raises; a place that cannot be written only
    means that nothing is kept."""
    place, digest = _place(), _digest(folders)
    path = place / f"knowledge-{digest}.pickle"
    with _without_collecting():
        kept = _read(path, kind)
        if kept is not None:
            return kept
        made = make(digest)
    with suppress(OSError):
        _write(path, pickle.dumps(made, protocol=5))
        _prune(place)
    return made


@contextmanager
def _without_collecting() -> Iterator[None]:
    """What is compiled or read stays: looking through it for garbage again and again is a tenth of the time of
    compiling, and half of that of reading."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _place() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "careplan-exchange"


def _digest(folders: Iterable[Path]) -> str:
    """Of every file's name and bytes. Of the code the dates and sizes are enough."""
    found = hashlib.sha256(sys.version.encode())
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                data = path.read_bytes()
                found.update(f"{path.relative_to(folder)}\0{len(data)}\0".encode() + data)
    code = Path(__file__).parent
    for path in sorted(code.rglob("*.py")):
        about = path.stat()
        found.update(f"{path.relative_to(code)}\0{about.st_size}\0{about.st_mtime_ns}\0".encode())
    return found.hexdigest()


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        with path.open("rb") as source:
            if not _trusted(os.fstat(source.fileno())) or not _trusted(path.parent.stat()):
                return None
            found = pickle.load(source)  # noqa: S301 # see _trusted
    except Exception:  # noqa: BLE001 # whatever a spoiled file does: it is made anew
        return None
    return found if isinstance(found, kind) else None


def _trusted(about: os.stat_result) -> bool:
    """Ours, and nobody else's to write."""
    return about.st_uid == os.getuid() and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, also where two processes write at once."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _trusted(path.parent.stat()):
        return
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as sink:
        sink.write(data)
    Path(name).replace(path)


def _prune(place: Path) -> None:
    files = sorted(place.glob("knowledge-*.pickle"), key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in files[_KEPT:]:
        path.unlink(missing_ok=True)
