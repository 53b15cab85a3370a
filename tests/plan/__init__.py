"""Tests of the parsers and of the plan, without baking."""
