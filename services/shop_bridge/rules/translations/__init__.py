"""What shops' own formats say, as messages of ours; pure."""
