"""Pure rules: no clock, no chance, no I/O, no framework."""
