"""Training: one model, or many heads side by side."""
