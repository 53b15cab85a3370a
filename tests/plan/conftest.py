"""The Hypothesis profile of this tier. It has no deadline, because the machine may be busy."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("plan", deadline=None)
settings.load_profile("plan")
