"""Brings shops' orders onto the topics, as webhooks and polls tell of them."""
