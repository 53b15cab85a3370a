"""The schedule in the database: `schedule.py` fills it, and people change it in the admin."""
