"""The frozen base's features: computed once, stored, and read as batches."""
