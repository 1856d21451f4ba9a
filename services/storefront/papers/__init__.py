"""Papers as the storefront serves them: of which facts, for which reader, beside the event loop."""
