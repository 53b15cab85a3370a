"""The admin of reports: request, view and rebuild them."""

from django.contrib import admin
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest

from {{ cookiecutter.project_slug }}.reports.models import Report
from {{ cookiecutter.project_slug }}.reports.tasks import build


@admin.register(Report)
class ReportAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic only in the type stubs
    """The admin of reports. An existing report is read-only."""

    list_display = ("__str__", "requested_by", "requested_at", "built_at", "accounts")
    list_filter = (("built_at", admin.EmptyFieldListFilter),)
    readonly_fields = ("requested_by", "requested_at", "built_at", "accounts")
    date_hierarchy = "requested_at"
    actions = ("rebuild",)

    def has_change_permission(self, request: HttpRequest, obj: Report | None = None) -> bool:
        """Return False for a single report. The permission allows the actions of the list only."""
        return obj is None and super().has_change_permission(request)

    def save_model(self, request: HttpRequest, obj: Report, form: "ModelForm[Report]", change: bool) -> None:
        """Set the requesting user."""
        obj.requested_by_id = request.user.pk
        super().save_model(request, obj, form, change)

    @admin.action(description="Rebuild the selected reports", permissions=["change"])
    def rebuild(self, request: HttpRequest, queryset: QuerySet[Report]) -> None:
        """Rebuild reports that are outdated, or whose task was not published because the broker was unreachable."""
        reports = list(queryset)
        queryset.update(accounts=None, built_at=None)
        for report in reports:
            build.delay_on_commit(report.pk)
        self.message_user(request, f"Reports that will be rebuilt: {len(reports)}")
