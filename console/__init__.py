"""The people's side: web pages and HTTP API over the ledger and the workflows (design section 7)."""
