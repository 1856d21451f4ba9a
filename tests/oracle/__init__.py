"""What recorded shop data must come to, computed without the system, and the comparison."""
