"""The page of the admin with the queues{{ " and the periodic tasks" if plan().features.control_schedule }}."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from {{ cookiecutter.project_slug }}.control import actions, store
from {{ cookiecutter.project_slug }}.control.models import Pause
{% if plan().features.control_schedule %}
from {{ cookiecutter.project_slug }}.periodic_tasks import list_periodic_tasks
{% endif %}
from {{ cookiecutter.project_slug }}.queues import QueueName
{% if plan().features.control_schedule %}
from {{ cookiecutter.project_slug }}.submissions import RefusedError, UnavailableError, call_with_deadline


def run_now(name: str, actor: str) -> None:
    """Publish a periodic task."""
    entry = actions.find_entry(name)
    call_with_deadline(lambda: actions.run_now(entry, actor))


{% else %}
from {{ cookiecutter.project_slug }}.submissions import RefusedError, UnavailableError

{% endif %}
CHANGE, RUN = "control.change_pause", "control.run_periodic_task"

ACTIONS: dict[str, tuple[str, Callable[[str, str], None]]] = {
    "pause_queue": (CHANGE, actions.pause_queue),
    "resume_queue": (CHANGE, actions.resume_queue),
{% if plan().features.control_schedule %}
    "pause_periodic_task": (CHANGE, actions.pause_periodic_task),
    "resume_periodic_task": (CHANGE, actions.resume_periodic_task),
    "run_periodic_task": (RUN, run_now),
{% endif %}
}
"""The permission and the function of each button."""


@admin.register(Pause)
class PauseAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic only in the type stubs
    """A single page in place of a list of rows: what is not paused has no row."""

    def get_urls(self) -> list[URLPattern]:
        """Return the URL of the page only."""
        return [path("", self.admin_site.admin_view(self.changelist_view), name="control_pause_changelist")]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: the start page of the admin must not link to a form."""
        return False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Return the page, or run the action of a button."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            self.run_action(request)
            return redirect(request.path)
        pauses = {(pause.kind, pause.name): pause for pause in store.list_pauses()}
        context = {
            **self.admin_site.each_context(request),
            "title": self.opts.verbose_name_plural,
            "opts": self.opts,
            "may_change": request.user.has_perm(CHANGE),
            "may_run": request.user.has_perm(RUN),
            "queues": [{"name": name.value, "pause": pauses.get(("queue", name))} for name in QueueName],
{% if plan().features.control_schedule %}
            "periodic_tasks": [
                {"name": task.name, "task": task.task, "pause": pauses.get(("periodic task", task.name))}
                for task in list_periodic_tasks()
            ],
{% endif %}
        }
        return TemplateResponse(request, "admin/control/pause/change_list.html", context)

    def run_action(self, request: HttpRequest) -> None:
        """Run the action of the button, whose value is the name of the queue or periodic task."""
        action = next((action for action in ACTIONS if action in request.POST), "")
        permission, function = ACTIONS.get(action, ("", None))
        if function is None or not request.user.has_perm(permission):
            raise PermissionDenied
        name = request.POST[action]
        try:
            function(name, request.user.get_username())
        except (RefusedError, UnavailableError) as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, f"{action.replace('_', ' ').capitalize()}: {name}", messages.SUCCESS)
