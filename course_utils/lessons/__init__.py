"""The lessons: executed, checked and prepared for a class; guesses, figures, published results."""
