"""Pure rules of pages and the API: facts in, views out; no clock and no I/O."""
