"""The frozen base, its weights, the lesson's classifier, and the parts of a student's model."""
