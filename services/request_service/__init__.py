"""request_service: from a request to its unique id."""

from runtime.faust_app import app_finder

__getattr__ = app_finder(__name__)
