"""Favors and refunds back to the shops: what payments instruct, carried out once at the shop."""
