"""Files that nobody but their owner may read: what is in them is about a patient."""

import os
import tempfile
from pathlib import Path

from careplan_exchange.errors import UsageError


class ReadingFile:
    """sources.Reading in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def earlier(self) -> bytes | None:
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UsageError(
                f"{self._path} cannot be read: {error.strerror}.", mend="Check its permissions."
            ) from None

    def keep(self, data: bytes) -> None:
        write(self._path, data, force=True)


def reading(path: Path | None) -> ReadingFile | None:
    return None if path is None else ReadingFile(path)


def refuse_existing(path: Path, *, force: bool) -> None:
    """Raises UsageError where something stands at `path` and may not be replaced."""
    if not force and os.path.lexists(path):
        raise UsageError(f"{path} is there already.", mend="Name another file, or add --force to replace it.")


def write(path: Path, data: bytes, *, force: bool) -> None:
    """The whole file with mode 0600, or none: it is written beside its place, and takes it at the end.

    Raises UsageError where it is there already (unless `force`) or cannot be written.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".careplan-")  # made with mode 0600
        beside = Path(name)
        try:
            with os.fdopen(handle, "wb") as sink:
                sink.write(data)
            if force:
                beside.replace(path)
            else:
                os.link(beside, path)  # refuses where something stands, also what came in the meantime
        finally:
            beside.unlink(missing_ok=True)
    except FileExistsError:
        refuse_existing(path, force=False)
        raise
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror}.", mend="Name another place, or make room there."
        ) from None
