"""Attacks on the storefront: every route, field and token, by seed; see ``make attack``."""
