"""Rights on PostgreSQL: the service's role may add to the ledger, and nothing else of it.

The owner of the tables (who migrates, and removes what a policy says) is another role. Triggers refuse changes to
everybody; without these rights the service's role cannot take the triggers away.
"""

import re

from careplan_exchange.errors import UsageError

from .tables import VERSION_TABLE, ledger, ledger_head, ledger_seals, metadata

_NAME = re.compile(r"[a-z_][a-z0-9_$]{0,62}", re.ASCII)


def roles_sql(application: str, schema: str = "public") -> str:
    """SQL for the owner of the tables to run, in one transaction, as often as wanted. `application` is the
    service's role. Raises UsageError where a name would need quoting."""
    for name in (application, schema):
        if _NAME.fullmatch(name) is None:
            raise UsageError(
                f"'{name}' is no plain name of a role or schema.",
                mend="Use small letters, digits and underscores.",
            )
    append_only = (ledger.name, ledger_seals.name)
    others = sorted(set(metadata.tables) - {*append_only, ledger_head.name})
    owned = sorted({*metadata.tables, VERSION_TABLE})
    lines = [
        "BEGIN;",
        f"GRANT USAGE ON SCHEMA {schema} TO {application};",
        *(f"REVOKE ALL ON {schema}.{table} FROM PUBLIC, {application};" for table in owned),
        f"GRANT SELECT ON {schema}.{VERSION_TABLE} TO {application};",
        *(f"GRANT SELECT, INSERT ON {schema}.{table} TO {application};" for table in append_only),
        f"GRANT SELECT, INSERT, UPDATE (seq, hash) ON {schema}.{ledger_head.name} TO {application};",
        *(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.{table} TO {application};" for table in others),
        f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {application};",
        f"REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {application};",
        "COMMIT;",
    ]
    return "\n".join(lines) + "\n"
