"""Passwords as tests keep them: by the algorithm that is shipped, with a small part of its work.

The work is what slows whoever tries out a stolen table, and is stored with each hash; half a second of it for each
person who signs in is no part of what most tests say. That the shipped settings do all of it is one (tests/staff).
"""

from __future__ import annotations

from django.contrib.auth.hashers import ScryptPasswordHasher


class LightScrypt(ScryptPasswordHasher):
    """Scrypt with a 256th of the work."""

    work_factor = ScryptPasswordHasher.work_factor // 256
