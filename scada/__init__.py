"""The way from machine to Temporal: session, filter, durable log, forwarder. Read-only towards OT, always."""
