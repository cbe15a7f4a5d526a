from __future__ import annotations

from hypothesis import settings

# The first call into LAPACK pays for its start-up; a deadline would measure that.
settings.register_profile("geometry", deadline=None, derandomize=True)
settings.load_profile("geometry")
