"""The addresses of this app, which each module of views lists for itself."""

from {{ cookiecutter.project_slug }}.web import {{ plan().view_modules | join(", ") }}

app_name = "web"
urlpatterns = [*{{ plan().view_modules | join(".urlpatterns, *") }}.urlpatterns]
