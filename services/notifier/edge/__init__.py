"""Where the service touches the world outside."""
