"""Synthetic vehicles: a dataset that the kit draws itself."""
