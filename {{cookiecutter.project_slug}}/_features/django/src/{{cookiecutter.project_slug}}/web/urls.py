"""The addresses of this app, which each module of views lists for itself."""

{% if plan().features.beat %}
from {{ cookiecutter.project_slug }}.web import overview, schedule, tasks
{% else %}
from {{ cookiecutter.project_slug }}.web import overview, tasks
{% endif %}

app_name = "web"
{% if plan().features.beat %}
urlpatterns = [*overview.urlpatterns, *schedule.urlpatterns, *tasks.urlpatterns]
{% else %}
urlpatterns = [*overview.urlpatterns, *tasks.urlpatterns]
{% endif %}
