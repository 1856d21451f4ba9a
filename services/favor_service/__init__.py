"""favor_service: from a closed group to the favor each member gets."""
