"""How often the gate raises false alarms, and how large a fault has to be for it to be caught."""
