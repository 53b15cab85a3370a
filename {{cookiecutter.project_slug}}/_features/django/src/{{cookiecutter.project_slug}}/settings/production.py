"""The settings for production, behind a proxy that terminates TLS. `manage.py check --deploy` reports nothing.

https://docs.djangoproject.com/en/stable/howto/deployment/checklist/
"""

from {{ cookiecutter.project_slug }}.settings import env
from {{ cookiecutter.project_slug }}.settings.base import *

DEBUG = False

# --- TLS only
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")  # the proxy must set it, and remove a client's
SECURE_SSL_REDIRECT = env.secure_ssl_redirect
SECURE_HSTS_SECONDS = env.secure_hsts_seconds
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.secure_hsts_include_subdomains
SECURE_HSTS_PRELOAD = env.secure_hsts_preload
SILENCED_SYSTEM_CHECKS = [  # both affect other sites of the domain and are hard to revert: its owner decides
    "security.W005",  # no SECURE_HSTS_INCLUDE_SUBDOMAINS
    "security.W021",  # no SECURE_HSTS_PRELOAD
]
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
