"""Who may do what, how often, and the same only once."""
