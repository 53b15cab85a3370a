"""The schedule in the database. `schedule.py` defines its entries, and users may edit them in the admin."""
