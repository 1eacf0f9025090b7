#!/bin/sh
# Creates or updates Temporal's two PostgreSQL databases. Safe to repeat at every start.
set -eu
tool() {
    temporal-sql-tool --plugin postgres12 --ep "$POSTGRES_SEEDS" -p "$DB_PORT" -u "$POSTGRES_USER" "$@"
}
for kind in temporal visibility; do
    database=temporal
    [ "$kind" = temporal ] || database=temporal_visibility
    # The database may be there from an earlier start; if it is not, the next step says so.
    tool --db "$database" create || true
    tool --db "$database" setup-schema -v 0.0
    tool --db "$database" update-schema -d "/etc/temporal/schema/postgresql/v12/$kind/versioned"
done
