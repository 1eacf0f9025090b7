"""The durable processes. Thin: they await, decide through `domain`, and act through `activities`."""
