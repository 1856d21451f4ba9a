"""Pure arithmetic that services, pages and the terminal share; the decision to act is theirs."""
