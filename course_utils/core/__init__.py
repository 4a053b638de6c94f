"""What everything else stands on: settings, files, the cache, a quiet TensorFlow."""
