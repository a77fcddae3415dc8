"""What no test notices: each small change to some modules, with the tests that reach it.

    python tests/mutants/run.py writer/settle reconcile/undo -- tests/unit/writer tests/unit/reconcile

The tests are collected once, and run once to see which of them reach which function and how long they take. Then,
for each change, this process forks, puts the changed code into the function where it stands, and runs the tests
that reach it, the quickest first, until one fails. What survives is printed with its line. What runs at import
(tables) is not reached.
"""

import gc
import importlib
import os
import select
import signal
import sys
import threading
import time
from collections import defaultdict
from contextlib import suppress
from functools import _lru_cache_wrapper
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import pytest
from changes import changes

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "service" / "careplan_exchange"
SLOW = 3.0
"""Tests that take longer are left out of the run, and counted."""
_PATIENCE = 10.0
_FORGETFUL = (["reconcile"], ["writer"], ["audit"], ["review"], ["exchange"], ["store"])
"""The packages whose functions forget: compiled knowledge stays, it takes seconds to make."""
_EXAMPLES = 40


class Reached(NamedTuple):
    item: pytest.Item
    seconds: float


class Mutants:
    """The plugin that takes the place of pytest's loop."""

    def __init__(self, modules: list[str]) -> None:
        self._files = {str(PACKAGE / f"{name}.py"): name for name in modules}
        self._seen: set[tuple[str, str]] = set()
        self.reached: dict[tuple[str, str], list[Reached]] = defaultdict(list)
        self.slow = 0
        self._failed = False

    def pytest_configure(self, config: pytest.Config) -> None:
        """The same examples for every change, and not many."""
        from hypothesis import HealthCheck, settings  # pytest rewrites it, so it may not be imported before

        settings.register_profile(
            "mutants",
            derandomize=True,
            max_examples=_EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )

    def pytest_collection(self) -> None:
        from hypothesis import settings

        settings.load_profile("mutants")  # after every conftest.py, which may load another

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._failed = self._failed or report.failed

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        session.config.pluginmanager.unregister(reporter)
        self._look(session)
        for file, name in self._files.items():
            self._try_all(file, name)
        return True

    def _look(self, session: pytest.Session) -> None:
        for item in session.items:
            self._seen.clear()
            started = time.perf_counter()
            self._failed = False
            threading.setprofile(self._note)
            sys.setprofile(self._note)
            try:
                self._run(item)
            finally:
                sys.setprofile(None)
                threading.setprofile(None)
            seconds = time.perf_counter() - started
            if self._failed:
                print(f"left out, it fails unchanged: {item.nodeid}")
            elif seconds > SLOW:
                self.slow += bool(self._seen)
            else:
                for key in self._seen:
                    self.reached[key].append(Reached(item, seconds))
        if self.slow:
            print(f"left out, over {SLOW:.0f} s: {self.slow} tests")
        for tests in self.reached.values():
            tests.sort(key=lambda one: one.seconds)

    def _note(self, frame: Any, event: str, _: Any) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename in self._files:
            self._seen.add((code.co_filename, code.co_qualname.partition(".<locals>")[0]))

    @staticmethod
    def _run(item: pytest.Item) -> None:
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)

    def _try_all(self, file: str, name: str) -> None:
        module = importlib.import_module(f"careplan_exchange.{name.replace('/', '.')}")
        found = list(changes(Path(file).read_text(), file))
        started, survived, untried = time.monotonic(), 0, 0
        steady = {name: self._is_steady(module, file, name) for name in {one.function for one in found}}
        for change in found:
            function = _live(module, change.function)
            tests = self.reached.get((file, change.function), [])
            if tests and not (steady[change.function] and _fits(function, change.code)):
                untried += 1
            elif not tests or function is None or not self._is_noticed(function, change.code, tests):
                survived += 1
                reached = "" if tests else "  (no test reaches it)"
                print(f"  {name}:{change.line} {change.said}{reached}", flush=True)
        took = time.monotonic() - started
        print(f"{name}: {len(found)} changes, {survived} survived, {untried} not tried, {took:.0f} s", flush=True)

    def _is_steady(self, module: Any, file: str, name: str) -> bool:
        """Whether its tests hold in a fork with the code as it is: otherwise each change would look noticed."""
        function, tests = _live(module, name), self.reached.get((file, name), [])
        if function is None or not tests or not self._is_noticed(function, function.__code__, tests):
            return True
        alone = [one for one in tests if not self._is_noticed(function, function.__code__, [one])]
        print(f"  {name}: {len(tests) - len(alone)} of {len(tests)} tests do not hold in a fork: left out")
        self.reached[file, name] = alone
        return bool(alone) and not self._is_noticed(function, function.__code__, alone)

    def _is_noticed(self, function: FunctionType, code: CodeType, tests: list[Reached]) -> bool:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.setsid()
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, 1)
            os.dup2(null, 2)
            self._as_child(function, code, tests, writer)
        os.close(writer)
        patience = _PATIENCE + 5 * sum(one.seconds for one in tests)
        ready, _, _ = select.select([reader], [], [], patience)
        if not ready:
            print(f"  {function.__qualname__}: a change did not come to an end, which counts as noticed")
        said = os.read(reader, 1) if ready else b"t"
        os.close(reader)
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return said != b"s"

    def _as_child(self, function: FunctionType, code: CodeType, tests: list[Reached], writer: int) -> None:
        said = b"f"
        try:
            function.__code__ = code
            _forget()
            for one in tests:
                self._failed = False
                self._run(one.item)
                if self._failed:
                    break
            else:
                said = b"s"
        finally:
            os.write(writer, said)
            os._exit(0)


def _forget() -> None:
    """What functions of the product remember was reckoned by the code as it was."""
    for one in gc.get_objects():
        if isinstance(one, _lru_cache_wrapper) and one.__module__.split(".")[-2:-1] in _FORGETFUL:
            one.cache_clear()


def _fits(function: FunctionType | None, code: CodeType) -> bool:
    """Code can take the place of another only with the same variables from around it."""
    return function is not None and code.co_freevars == function.__code__.co_freevars


def _live(module: Any, qualified: str) -> FunctionType | None:
    found: Any = module
    for name in qualified.split("."):
        found = vars(found).get(name)
    while not isinstance(found, FunctionType):
        inner = (
            getattr(found, "__wrapped__", None)
            or getattr(found, "fget", None)
            or getattr(found, "__func__", None)
        )
        if inner is None:
            return None
        found = inner
    while (inner := getattr(found, "__wrapped__", None)) is not None:
        found = inner
    return found


def main(arguments: list[str]) -> int:
    if "--" not in arguments:
        print(__doc__)
        return 2
    cut = arguments.index("--")
    modules, tests = arguments[:cut], arguments[cut + 1 :]
    os.chdir(ROOT)
    options = [
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-q",
        "-m",
        "not slow and not hapi and not medplum and not postgres",
    ]
    return int(pytest.main([*options, *tests], plugins=[Mutants(modules)]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
