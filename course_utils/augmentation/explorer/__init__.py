"""Sliders over a live grid of augmented photos."""
