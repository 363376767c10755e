"""The first tables of the library, and the trigger by which the audit's lines stay as they are."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None

_TYPES = {
    "sqlite": {"key": "INTEGER NOT NULL PRIMARY KEY", "whole": "INTEGER", "bytes": "BLOB", "float": "DOUBLE"},
    "postgresql": {"key": "BIGSERIAL PRIMARY KEY", "whole": "BIGINT", "bytes": "BYTEA", "float": "DOUBLE PRECISION"},
}
_REFUSAL = "the audit is never changed"
_TRIGGERS = {
    "sqlite": f"CREATE TRIGGER audit_{{0}} BEFORE {{0}} ON audit BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
    "postgresql": "CREATE TRIGGER audit_{0} BEFORE {0} ON audit EXECUTE FUNCTION refuse_audit_change()",
}
_FUNCTION = (
    "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$"
)


def upgrade() -> None:
    kind = op.get_bind().dialect.name
    script = (Path(__file__).parents[1] / "first_tables.sql").read_text().partition("\n")[2]
    if kind == "postgresql":
        op.execute(_FUNCTION)
    for statement in script.split(";")[:-1]:
        op.execute(statement.format(**_TYPES[kind]))
    for change in ("UPDATE", "DELETE"):
        op.execute(_TRIGGERS[kind].format(change))
