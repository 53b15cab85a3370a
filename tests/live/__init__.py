"""Tests of generated projects with real workers, beat and brokers."""
