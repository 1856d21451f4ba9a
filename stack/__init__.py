"""A whole stack on one machine: its broker, its processes, and the commands for them."""
