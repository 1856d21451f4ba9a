"""Letters: from notices to mail that arrives, once."""

from runtime.faust_app import app_finder

__getattr__ = app_finder(__name__)
