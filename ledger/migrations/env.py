"""Alembic's entry: runs the migrations on the connection, and in the transaction, that ledger.connect hands over."""

from alembic import context

from ledger.tables import LedgerTable

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("migrations run through ledger.connect.migrate(engine), which holds the lock they need")

context.configure(
    connection=connection,
    target_metadata=LedgerTable.metadata,
    # SQLite cannot alter most of a table in place; later migrations copy it.
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
