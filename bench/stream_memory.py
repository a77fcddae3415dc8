"""Peak resident memory of a process that pulls and maps 2,000 patients, over that of one that does 100."""

import subprocess
import sys
from pathlib import Path

from _figures import line, ratios

ROUNDS = 3
CHILD = Path(__file__).with_name("_pull_many.py")


def peak(patients: int) -> float:
    result = subprocess.run(
        [sys.executable, str(CHILD), str(patients)], check=True, capture_output=True, text=True
    )
    return float(result.stdout.split()[-1])


def main() -> None:
    few, many = [], []
    for _ in range(ROUNDS):
        few.append(peak(100))
        many.append(peak(2000))
    print(line("peak RSS at 100 patients", few, "MiB"))
    print(line("peak RSS at 2,000 patients", many, "MiB"))
    print(ratios("ratio", many, few))


if __name__ == "__main__":
    main()
