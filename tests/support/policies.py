"""Review policies of a site, laid over ours."""

from pathlib import Path

HOLD = """\
new-plans: hold
rules:
  - {change: [recheck], needs: auto}
  - {change: [new, changed, retired, status, conflict, deleted], needs: one}
"""
TWO = HOLD.replace("needs: one", "needs: two")


def overlay(folder: Path, text: str = HOLD) -> Path:
    """A knowledge overlay that holds this policy and nothing else."""
    place = folder / "site"
    policy = place / "protocols" / "review" / "policy.yaml"
    policy.parent.mkdir(parents=True, exist_ok=True)
    policy.write_text(text, encoding="utf-8")
    return place
