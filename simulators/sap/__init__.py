"""A simulated SAP S/4HANA with its own books: it judges what posts to it, so it imports nothing of what it judges."""
