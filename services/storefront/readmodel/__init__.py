"""The read model: facts and lists in SQL, copied from the topics, and what is asked of them."""
