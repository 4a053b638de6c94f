"""Notebooks that run as tests use the synthetic vehicles and the quick profile, as committed."""

import os

os.environ["COURSE_DATA_DIR"] = "synthetic"
os.environ["COURSE_PROFILE"] = "quick"
