"""In production, behind a proxy that ends TLS: `manage.py check --deploy` has nothing to say.

https://docs.djangoproject.com/en/stable/howto/deployment/checklist/
"""

from {{ cookiecutter.project_slug }}.settings.base import *

DEBUG = False

# --- TLS only
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")  # the proxy must set it, and drop what a client sends
SECURE_SSL_REDIRECT = True
SECURE_HSTS_SECONDS = 31_536_000  # a year, in which browsers do not even try without TLS
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
