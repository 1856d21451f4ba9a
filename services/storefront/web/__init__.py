"""What pages and the API share: the guard, refusals, and the parts of the process."""
