"""Decisions without I/O, without a clock, without Temporal. Everything here is a pure function of its arguments."""
