"""Augmentation: the transformations, a policy made of them, and the explorer's sliders."""
