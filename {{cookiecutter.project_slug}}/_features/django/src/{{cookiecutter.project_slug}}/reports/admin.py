"""Reports in the admin: ask for one, see what became of it, have it built again."""

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from {{ cookiecutter.project_slug }}.reports.models import Report
from {{ cookiecutter.project_slug }}.reports.tasks import build


@admin.register(Report)
class ReportAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # it takes one only in the stubs
    """The list of reports."""

    list_display = ("__str__", "requested_by", "requested_at", "built_at", "accounts")
    list_filter = (("built_at", admin.EmptyFieldListFilter),)
    readonly_fields = ("requested_by", "requested_at", "built_at", "accounts")
    date_hierarchy = "requested_at"
    actions = ("build_again",)

    def has_change_permission(self, request: HttpRequest, obj: Report | None = None) -> bool:
        """What was asked for stays as it is; the actions need the permission."""
        return obj is None and super().has_change_permission(request)

    def save_model(self, request: HttpRequest, obj: Report, form: "ModelForm[Report]", change: bool) -> None:
        """Note who asked for it."""
        obj.requested_by_id = request.user.pk
        super().save_model(request, obj, form, change)

    @admin.action(description="Build the selected reports again", permissions=["change"])
    def build_again(self, request: HttpRequest, queryset: QuerySet[Report]) -> None:
        """For reports that are out of date, or whose task was never sent because the broker was away."""
        reports = list(queryset)
        queryset.update(accounts=None, built_at=None)
        for report in reports:
            build.delay_on_commit(report.pk)
        self.message_user(request, f"{len(reports)} reports will be built again.")
