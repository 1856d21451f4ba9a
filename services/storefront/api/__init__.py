"""The HTTP API for terminals and shops, under ``/api/v1``."""
