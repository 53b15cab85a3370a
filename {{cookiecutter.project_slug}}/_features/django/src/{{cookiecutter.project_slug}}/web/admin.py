"""The admin of dead letters, which are on the broker: list, show, replay and discard them."""

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Self

from django.contrib import admin, messages
from django.contrib.admin.actions import delete_selected
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from {{ cookiecutter.project_slug }} import http_dead_letters
from {{ cookiecutter.project_slug }}.commands import plural
from {{ cookiecutter.project_slug }}.dead_letters import DeadLetterFilter
from {{ cookiecutter.project_slug }}.http_dead_letters import MAX_SELECTED, Ids, Processed
from {{ cookiecutter.project_slug }}.problems import UNAVAILABLE
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.submissions import RefusedError, UnavailableError
from {{ cookiecutter.project_slug }}.web.models import DeadLetter


class DeadLetterQuerySet(QuerySet[DeadLetter]):
    """A list of dead letters with the methods of a query set that the admin calls. It does not query the database."""

    ordered = True

    def __init__(self, *args: Any, letters: Iterable[DeadLetter] = (), **options: Any) -> None:
        super().__init__(DeadLetter)
        self._result_cache = list(letters)

    def _clone(self) -> Self:
        return type(self)(letters=self)

    def narrow(self, condition: Callable[[DeadLetter], bool]) -> Self:
        """Return the dead letters that meet a condition."""
        return type(self)(letters=filter(condition, self))

    def filter(self, *args: Any, **conditions: Any) -> Self:
        """Return the dead letters whose ids are in `pk__in`.

        Raises:
            ValueError: There is another condition, for example in the URL of the list.
        """
        ids = conditions.pop("pk__in", None)
        if any(args) or conditions:
            raise ValueError("the only supported condition is pk__in")
        return self if ids is None else self.narrow(lambda letter: letter.pk in ids)

    def order_by(self, *fields: Any) -> Self:
        """Return the dead letters in the order of these fields. An empty field comes first."""
        letters = list(self)
        for field in reversed(fields):
            name = field.removeprefix("-")
            letters.sort(
                key=lambda letter: (getattr(letter, name) is not None, getattr(letter, name)),
                reverse=field.startswith("-"),
            )
        return type(self)(letters=letters)


class QueueFilter(admin.SimpleListFilter):
    """The filter by queue."""

    title = parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the queues."""
        return [(name.value, name.value) for name in QueueName]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the dead letters of the selected queue."""
        return queryset.narrow(lambda letter: self.value() in (None, letter.queue))


class TaskFilter(admin.SimpleListFilter):
    """The filter by task."""

    title = parameter_name = "task"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the tasks of all dead letters."""
        return [(name, name) for name in sorted({letter.task for letter in model_admin.get_queryset(request)})]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the dead letters of the selected task."""
        return queryset.narrow(lambda letter: self.value() in (None, letter.task))


class TimeFilter(admin.SimpleListFilter):
    """The filter by the time of the failure."""

    title = "time"
    parameter_name = "hours"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the periods, in hours."""
        return [("1", "Past hour"), ("24", "Past 24 hours"), ("168", "Past 7 days")]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Return the dead letters of the selected period."""
        if (hours := self.value()) not in dict(self.lookup_choices):
            return queryset
        since = timezone.now() - timedelta(hours=int(hours))
        return queryset.narrow(lambda letter: letter.at is not None and letter.at >= since)


@admin.register(DeadLetter)
class DeadLetterAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic only in the type stubs
    """The admin of dead letters. They are read-only, but can be replayed and discarded."""

    list_display = ("id", "task", "queue", "short_reason", "at", "attempts")
    list_filter = (QueueFilter, TaskFilter, TimeFilter)
    list_per_page = 50
    list_max_show_all = MAX_SELECTED
    ordering = ("-at",)
    search_fields = ("reason",)
    search_help_text = "Search for an id, or for a text in the reason."
    show_facets = admin.ShowFacets.NEVER
    fields = ("id", "task", "queue", "at", "attempts", "reason", "args", "kwargs", "formatted_traceback")
    readonly_fields = ("formatted_traceback",)
    actions = ("replay", "delete_selected")

    @admin.display(description="Reason", ordering="reason")
    def short_reason(self, letter: DeadLetter) -> str:
        """Return the beginning of the reason."""
        return Truncator(letter.reason).chars(100)

    @admin.display(description="Traceback")
    def formatted_traceback(self, letter: DeadLetter) -> SafeString:
        """Return the traceback with its line breaks."""
        return format_html("<pre>{}</pre>", letter.traceback or "-")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return False: only workers and brokers store dead letters."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False: dead letters are read-only."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return whether the user may discard dead letters."""
        return request.user.has_perm("web.discard_deadletter")

    def has_replay_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may replay dead letters."""
        return request.user.has_perm("web.replay_deadletter")

    def get_queryset(self, request: HttpRequest) -> DeadLetterQuerySet:
        """Return all dead letters. The first call of a request reads them from the broker."""
        cached: DeadLetterQuerySet | None = getattr(request, "dead_letters", None)
        if cached is None:
            letters = http_dead_letters.read_dead_letters(DeadLetterFilter())
            cached = DeadLetterQuerySet(letters=[DeadLetter(**letter.model_dump()) for letter in letters])
            request.dead_letters = cached  # type: ignore[attr-defined]
        return cached

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """Return the dead letters with this id, or with this text in their reason."""
        return queryset.narrow(lambda letter: search_term in letter.reason or search_term == letter.pk), False

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> DeadLetter | None:
        """Return the dead letter with this id."""
        return next(iter(self.get_queryset(request).filter(pk__in=[object_id])), None)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Return the list, or run an action."""
        return self._redirect_on_error(request, super().changelist_view, extra_context)

    def changeform_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        """Return the page of a dead letter."""
        return self._redirect_on_error(request, super().changeform_view, *args, **options)

    def delete_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        """Discard a dead letter after a confirmation."""
        return self._redirect_on_error(request, super().delete_view, *args, **options)

    def _redirect_on_error(
        self, request: HttpRequest, view: Callable[..., HttpResponse], *args: Any, **options: Any
    ) -> HttpResponse:
        """Call a view. If the broker is unavailable or an id is unknown, show the error on the start page."""
        try:
            return view(request, *args, **options)
        except UnavailableError:
            self.message_user(request, UNAVAILABLE, messages.ERROR)
        except RefusedError as error:
            self.message_user(request, str(error), messages.ERROR)
        return redirect("admin:index")

    def response_action(self, request: HttpRequest, queryset: Any, *args: Any, **options: Any) -> HttpResponse | None:
        """Run an action on at most `MAX_SELECTED` dead letters, the oldest of the list."""
        if request.POST.get("select_across") == "1" and (excess := len(queryset) - MAX_SELECTED) > 0:
            queryset = DeadLetterQuerySet(letters=list(queryset.order_by("at"))[:MAX_SELECTED])
            text = f"An action processes the oldest {MAX_SELECTED}. {plural(excess, 'dead letter')} not selected."
            self.message_user(request, text, messages.WARNING)
        return super().response_action(request, queryset, *args, **options)

    @admin.action(description="Replay the selected dead letters", permissions=["replay"])
    def replay(self, request: HttpRequest, queryset: DeadLetterQuerySet) -> None:
        """Publish the tasks to their queues again."""
        result = http_dead_letters.replay(select_ids(queryset), request.user.get_username())
        self.message_user(request, f"Replayed {plural(result.number, 'dead letter')}.", messages.SUCCESS)
        self.warn_of_remaining(request, result)

    @admin.action(description="Discard the selected dead letters", permissions=["delete"])
    def delete_selected(self, request: HttpRequest, queryset: DeadLetterQuerySet) -> HttpResponse | None:
        """Discard the dead letters after a confirmation."""
        return delete_selected(self, request, queryset)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, dict[str, int], set[str], list[str]]:
        """Return what the confirmation page lists."""
        return [f"{letter}: {letter.task}" for letter in objs], {"dead letters": len(objs)}, set(), []

    def delete_model(self, request: HttpRequest, obj: DeadLetter) -> None:
        """Discard a dead letter."""
        self.delete_queryset(request, DeadLetterQuerySet(letters=[obj]))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Discard dead letters."""
        result = http_dead_letters.discard(select_ids(queryset), request.user.get_username())
        self.warn_of_remaining(request, result)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Write no entry: the log has the users and the ids. An entry would remain if the broker is unavailable."""

    def warn_of_remaining(self, request: HttpRequest, result: Processed) -> None:
        """Show the number of dead letters that were not processed."""
        if result.remaining:
            text = f"{plural(result.remaining, 'dead letter')} remaining: the queue is not in queues.py, or busy."
            self.message_user(request, text, messages.WARNING)


def select_ids(queryset: DeadLetterQuerySet) -> Ids:
    """Return the selection of these dead letters."""
    return Ids(ids=[letter.pk for letter in queryset])
