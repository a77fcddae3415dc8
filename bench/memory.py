"""Peak resident memory of a process that syncs 1,000 patients, over that of one that syncs 50."""

import subprocess
import sys
from pathlib import Path

from _figures import line

ROUNDS = 3
CHILD = Path(__file__).with_name("_sync_many.py")


def peak(patients: int) -> float:
    result = subprocess.run(
        [sys.executable, str(CHILD), str(patients)], check=True, capture_output=True, text=True
    )
    return float(result.stdout.split()[-1])


def main() -> None:
    few = [peak(50) for _ in range(ROUNDS)]
    many = [peak(1000) for _ in range(ROUNDS)]
    print(line("peak RSS at 50 patients", few, "MiB"))
    print(line("peak RSS at 1,000 patients", many, "MiB"))
    print(line("ratio", [a / b for a, b in zip(many, few, strict=True)], "x"))


if __name__ == "__main__":
    main()
