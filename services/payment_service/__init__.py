"""payment_service: moves the difference between what is owed and what was paid, never twice."""

from runtime.faust_app import app_finder

__getattr__ = app_finder(__name__)
