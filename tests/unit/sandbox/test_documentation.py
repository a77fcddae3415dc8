"""docs/sandbox.md says what the sandbox can do, in the words of the code."""

from pathlib import Path

import pytest
from typer.main import get_command

from careplan_exchange.cli.app import app
from careplan_exchange.sandbox.faults import MEANING, Fault

PAGE = Path(__file__).parents[3] / "docs" / "sandbox.md"


@pytest.mark.parametrize("kind", MEANING)
def test_every_fault_is_in_the_table(kind):
    assert f"| `{kind}` | {MEANING[kind]} |" in PAGE.read_text().splitlines()


def test_every_field_of_a_fault_is_explained():
    page = PAGE.read_text()
    assert [name for name in Fault.__struct_fields__ if f"`{name}`" not in page] == []


def test_every_option_of_the_command_is_explained():
    command = get_command(app).commands["sandbox"]
    options = {name for one in command.params for name in one.opts if name.startswith("--")}
    page = PAGE.read_text()
    assert [name for name in options if f"`{name}" not in page] == []
