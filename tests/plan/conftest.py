"""Hypothesis for this tier: no limit of time for an example, since a busy machine is no mistake."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("plan", deadline=None)
settings.load_profile("plan")
