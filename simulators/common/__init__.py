"""What every simulated ERP needs and no original defines: faults, an HTTP server that can drop, books in SQLite."""
