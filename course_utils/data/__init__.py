"""Photos: where they come from, and how they are read, checked and put into batches."""
