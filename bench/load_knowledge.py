"""CPU and time of loading all knowledge: compiled from its files, and from the cache. Each in its own process.

python bench/load_knowledge.py
"""

import os
import subprocess
import sys
import tempfile

from _figures import line

ROUNDS = 5
_ONE = """
import time
from careplan_exchange import config, installed
wall, cpu = time.perf_counter(), time.process_time()
installed.load_knowledge(config.Settings())
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


def seconds(cache: str) -> tuple[float, float]:
    """Time and CPU of the load alone, in a new process whose cache is in this folder."""
    environment = os.environ | {"XDG_CACHE_HOME": cache}
    done = subprocess.run(
        [sys.executable, "-c", _ONE], env=environment, capture_output=True, check=True, text=True
    )
    wall, cpu = done.stdout.split()
    return float(wall), float(cpu)


def main() -> None:
    made, kept = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as cache:
            made.append(seconds(cache))
            kept.append(seconds(cache))
    for what, taken in (("compiled from the files", made), ("from the cache", kept)):
        print(line(what, [wall for wall, _ in taken], "s"))
        print(line(what, [cpu for _, cpu in taken], "s CPU"))


if __name__ == "__main__":
    main()
