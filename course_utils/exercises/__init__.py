"""Questions that check what a student wrote: one module for each exercise notebook."""
