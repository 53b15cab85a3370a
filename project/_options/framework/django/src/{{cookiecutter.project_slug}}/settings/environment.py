{{ text("environment.py") }}
