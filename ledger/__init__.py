"""The ledger: evidence, claims, postings, documents and cases. Process state belongs to Temporal, not here."""
