"""Letters: from notices to mail that arrives, once."""
