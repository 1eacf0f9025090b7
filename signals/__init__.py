"""The vocabulary of Plantwright: every message that crosses a boundary, as frozen pydantic models.

This room is the one versioned contract between floor, workflows, people and ERP (requirement 38). It holds no
decision and does no I/O; new fields get defaults, so that a running order survives the deploy of a change.
"""
