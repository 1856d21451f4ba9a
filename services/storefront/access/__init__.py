"""Credentials, sessions, rate limits, pseudonyms and idempotency keys."""
