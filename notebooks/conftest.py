"""Notebooks that run as tests use the drawn vehicles and the quick profile, as committed."""

import os

os.environ["COURSE_DATA_DIR"] = "drawn"
os.environ["COURSE_PROFILE"] = "quick"
