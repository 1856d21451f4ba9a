"""Counter auctions: sellers outbid each other for a group of buyers."""

from runtime.faust_app import app_finder

__getattr__ = app_finder(__name__)
