"""Brings shops' orders onto the topics: here, recorded ones, replayed."""
