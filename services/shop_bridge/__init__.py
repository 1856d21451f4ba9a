"""Brings shops' orders onto the topics: told by webhooks and polls, or recorded and replayed."""
