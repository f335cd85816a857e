"""Bridges to other extensions."""
