"""favor_service: from a closed group to the favor each member gets."""

from runtime.faust_app import app_finder

__getattr__ = app_finder(__name__)
