"""Lessons as files and as a course: run, check, prepare, publish."""
