"""The services: each one a box of the picture in README.md, joined by topics only."""
