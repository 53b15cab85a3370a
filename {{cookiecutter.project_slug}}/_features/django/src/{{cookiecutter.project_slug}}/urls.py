"""The URLs of the project. `web/health.py` handles `/health/` before them."""

from django.contrib import admin
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path
from django.views.generic import RedirectView

from {{ cookiecutter.project_slug }}.web.api import api

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("accounts/login/", LoginView.as_view(template_name="admin/login.html"), name="login"),
    path("accounts/logout/", LogoutView.as_view(next_page="login"), name="logout"),
    path("admin/", admin.site.urls),
    path("", api.urls),
]
