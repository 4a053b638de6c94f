"""Comparing policies: runs, statistics, subgroups, robustness."""
