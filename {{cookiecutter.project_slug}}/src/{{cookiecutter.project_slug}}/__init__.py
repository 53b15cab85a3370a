"""{{ cookiecutter.project_name | docstring }}."""
