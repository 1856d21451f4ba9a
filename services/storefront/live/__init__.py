"""Open pages: what the log says just now, told as server-sent events."""
