"""request_service: from a request to its unique id."""
