"""What Alembic runs: the migrations that are due, on the connection and inside the transaction that it was handed."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
