"""Measurements whose figures stand in docs/. Each runs alone, prints one JSON object, and is bounded by its options."""
