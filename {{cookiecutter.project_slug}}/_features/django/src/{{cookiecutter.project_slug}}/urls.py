"""Every address of this project. `/health/` is answered before them, by `web/health.py`."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import include, path

urlpatterns = [
    path("", include("{{ cookiecutter.project_slug }}.web.urls")),
    path("accounts/login/", LoginView.as_view(template_name="admin/login.html"), name="login"),
    path("accounts/logout/", LogoutView.as_view(next_page="login"), name="logout"),
    path("admin/", admin.site.urls),
]

handler400 = "{{ cookiecutter.project_slug }}.web.problems.bad_request"
handler403 = "{{ cookiecutter.project_slug }}.web.problems.permission_denied"
handler404 = "{{ cookiecutter.project_slug }}.web.problems.page_not_found"
handler500 = "{{ cookiecutter.project_slug }}.web.problems.server_error"
