"""The HTTP API, built with django-ninja."""

from ninja import NinjaAPI
from ninja.operation import Operation

from {{ cookiecutter.project_slug }}.settings import env
{% if plan().features.history_django %}
from {{ cookiecutter.project_slug }}.web import control, dead_letters, overview, problems, runs, tasks
{% else %}
from {{ cookiecutter.project_slug }}.web import dead_letters, overview, problems, tasks
{% endif %}
from {{ cookiecutter.project_slug }}.web.security import ApiKey, Session


class Api(NinjaAPI):
    """An API with operation ids of module and function name, for example `tasks-submit`."""

    def get_openapi_operation_id(self, operation: Operation) -> str:
        """Return the operation id, which generated clients use as the name."""
        function = operation.view_func
        return f"{function.__module__.rpartition('.')[2]}-{function.__name__}"


api = Api(
    title={{ plan().project.name | python }},
    description={{ plan().project.description | python }},
    urls_namespace="api",
    openapi_url="/openapi.json" if env.api_docs else None,
    docs_url="/docs" if env.api_docs else None,
    auth=[ApiKey(), Session()],
)
problems.add_error_handlers(api)
api.add_router("", overview.router)
api.add_router("/tasks", tasks.router)
api.add_router("/dead-letters", dead_letters.router)
{% if plan().features.history_django %}
api.add_router("", runs.router)
api.add_router("", control.router)
{% endif %}
