"""order_service: from orders to the table of purchasers, and the close of a group."""

from runtime.faust_app import app_finder

__getattr__ = app_finder(__name__)
