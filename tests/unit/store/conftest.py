from tests.support.postgres import postgres  # noqa: F401 - a fixture: importing it here is how it is offered
