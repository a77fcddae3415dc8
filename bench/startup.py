"""CPU of `careplan --help` against that of a bare interpreter."""

import resource
import subprocess
import sys

from _figures import line

ROUNDS = 15


def cpu_of(*arguments: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def main() -> None:
    helped = [cpu_of("-m", "careplan_exchange", "--help") for _ in range(ROUNDS)]
    bare = [cpu_of("-c", "pass") for _ in range(ROUNDS)]
    print(line("careplan --help", helped, "s CPU"))
    print(line("python -c pass", bare, "s CPU"))
    print(line("ratio", [a / b for a, b in zip(helped, bare, strict=True)], "x"))


if __name__ == "__main__":
    main()
