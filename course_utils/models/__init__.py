"""The frozen base, its weights, and the lesson's classifier."""
