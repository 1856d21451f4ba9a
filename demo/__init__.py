"""A story to watch (``make demo``) or to check (``make story``)."""
