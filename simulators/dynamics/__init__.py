"""A simulated Dynamics 365 Supply Chain Management with its own books; it judges us and shares no code with us."""
