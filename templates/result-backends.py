{% if plan().features.redis_results %}
app.loader.override_backends = {
    "redis": "{{ cookiecutter.project_slug }}.result_store:RedisBackend",
    "rediss": "{{ cookiecutter.project_slug }}.result_store:RedisBackend",
}
{% elif plan().features.database_results %}
app.loader.override_backends = {"db": "{{ cookiecutter.project_slug }}.result_store:DatabaseBackend"}
{% endif %}
