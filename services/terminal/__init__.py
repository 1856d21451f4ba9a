"""terminal: the ``jointbuy`` command."""
