"""A simulated Oracle Fusion Cloud SCM with its own books; docs/simulators-oracle.md says what it enforces."""
