"""The demo: every process of a plant on one machine, broken on purpose, and the books compared at the end."""
