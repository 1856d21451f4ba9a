"""Brings shops' orders onto the topics, as webhooks and polls tell of them."""

from runtime.faust_app import app_finder

__getattr__ = app_finder(__name__)
