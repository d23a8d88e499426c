"""Crashes: a served installation is killed and cut off under load, and nothing acknowledged is lost or doubled.

A short part runs with the tests: two dozen kills, and four dozen cuts of the line to the database. The long
part is `make crash`:

    PALIER_CRASH_POINTS   kills of the long run (300)
    PALIER_CRASH_SEED     repeats a run with the same dice; the seed is printed
    PALIER_CRASH_ROUNDS   times that each named statement is killed and cut at, four ways (2)
    PALIER_CRASH_ORDERS   rounds of two hundred members on a stock of ten, at 2, 8, 32 and 128 threads (20)
    PALIER_CRASH_REPORT   a file to which each run adds its figures

It also serves changed copies of the platform, each with a planted fault that the harness must catch
(`plants.py`): an answer before its commit, commits that do not wait for the disk, ids that are not unique,
and an effect apart from its claim.
"""
