"""What all other packages use: settings, files, the cache, TensorFlow without its notes."""
