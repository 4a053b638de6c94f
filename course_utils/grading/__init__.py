"""Grades students' notebooks: reads answers, observes them in a sandbox, judges them outside."""
