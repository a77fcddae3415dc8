"""Bad input at length: `make fuzz`. The tests of this folder, each with other examples in every process.

    python tests/fuzz/run.py [--examples N] [--seed N]

Hypothesis keeps what failed in .hypothesis and tries it first the next time, `make test` too.
"""

import argparse
import math
import os
import random
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = sum(
    len(re.findall(r"^@given\(", path.read_text(), re.MULTILINE))
    for path in Path(__file__).parent.glob("test_*.py")
)


class Shard:
    """One process of pytest, its lines shown as they come."""

    def __init__(self, number: int, examples: int, seed: int) -> None:
        self.said: list[str] = []
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "pytest", "tests/fuzz", "-v", "-p", "no:cacheprovider"),
                *("--hypothesis-show-statistics", f"--hypothesis-seed={seed}"),
            ],
            cwd=ROOT,
            env={**os.environ, "HYPOTHESIS_PROFILE": "fuzz", "FUZZ_EXAMPLES": str(examples)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._follow, args=(number, time.monotonic()), daemon=True)
        self._reader.start()

    def _follow(self, number: int, started: float) -> None:
        for line in self._process.stdout or ():
            self.said.append(line)
            if found := re.match(r"\S+::(test_any\S+) (PASSED|FAILED|ERROR)\s+\[ *(\d+)%\]", line):
                print(
                    f"{time.monotonic() - started:6.0f} s  process {number}: {found[3]:>3} %  {found[1]} {found[2]}",
                    flush=True,
                )

    def end(self) -> int:
        self._reader.join()
        return self._process.wait()

    @property
    def examples(self) -> int:
        """How many examples held, by Hypothesis' own count."""
        return sum(int(number) for number in re.findall(r"(\d+) passing", "".join(self.said)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**31))
    given = parser.parse_args()
    processes = os.cpu_count() or 1
    each = math.ceil(given.examples / TESTS / processes)
    print(f"{TESTS} tests, {each} examples each in {processes} processes; seed {given.seed}", flush=True)
    started = time.monotonic()
    shards = [Shard(number, each, given.seed + number) for number in range(1, processes + 1)]
    failed = [shard for shard in shards if shard.end() != 0]
    for shard in failed:
        print("".join(shard.said))
    total = sum(shard.examples for shard in shards)
    print(f"{total} examples held, {len(failed)} process(es) failed, {time.monotonic() - started:.0f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
