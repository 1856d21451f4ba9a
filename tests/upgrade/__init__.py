"""``python -m tests.upgrade FROM``: workers of an earlier version and of this one side by side."""
