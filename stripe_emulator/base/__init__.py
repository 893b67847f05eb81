"""Identifiers, errors, models and tables that every other package uses."""
