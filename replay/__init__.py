"""Recorded shop data sent through the system as if it happened now."""
