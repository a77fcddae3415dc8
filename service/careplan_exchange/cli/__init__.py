"""The `careplan` command. In: arguments and settings. Out: results on standard output, logs on standard error.

Read `app.py` first: it registers every command and turns an error into its message and exit code. Exit codes:
0 done, 1 a fault of this program, 2 usage or configuration, 3 the record could not be read whole, 4 the server
refused, 5 unreachable, 6 a person must decide.
"""

from .app import run

__all__ = ["run"]
