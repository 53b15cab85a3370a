"""The environment of this process, typed, and validated when it starts.

A missing or bad variable ends the process with exit status 1 and one clear line for each mistake.
"""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


def scheme(*schemes: str) -> AfterValidator:
    """A check that a URL begins with one of these schemes."""

    def check(url: str) -> str:
        if urlsplit(url).scheme not in schemes:
            raise ValueError(f"must begin with one of: {', '.join(f'{scheme}://' for scheme in schemes)}")
        return url

    return AfterValidator(check)


class Environment(BaseSettings):
    """What an operator may change. Each field is the variable of the same name in capitals."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

{% for variable in plan().urls %}
    {{ variable.name | lower }}: Annotated[str, scheme({{ variable.schemes | map("tojson") | join(", ") }})] = Field(
        examples=["{{ variable.example }}"],
        description="{{ variable.description }}",
    )
{% endfor %}
{% for variable in plan().variables %}
    {{ variable.name | lower }}: str = Field(
{{ variable.checks }}        examples=["{{ variable.example }}"],
        description="{{ variable.description }}",
    )
{% endfor %}
    celery_publish_timeout: float = Field(
        default=60,
        ge=0,
        examples=["60"],
        description="Seconds for which sending a task outlasts a broker that is away.",
    )
    sentry_dsn: str = Field(
        default="",
        examples=["https://key@sentry.example.com/1"],
        description="Where Sentry receives errors; empty: Sentry is off.",
    )
    sentry_environment: str = Field(
        default="production",
        examples=["production"],
        description="The environment's name in Sentry.",
    )
    alert_webhook_url: Annotated[str, scheme("http", "https", "")] = Field(
        default="",
        examples=["https://hooks.example.com/services/key"],
        description="Where failures of critical tasks are posted; empty: they are only logged.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="INFO",
        examples=["INFO"],
        description="The least severe log messages that are written.",
    )
    log_format: Literal["json", "console"] = Field(
        default="json",
        examples=["json"],
        description="A JSON object a line for machines, or coloured text for people.",
    )
    heartbeat_file: str = Field(
        default="",
        examples=["/run/{{ cookiecutter.project_slug }}/heartbeat"],
        description="A file that is touched while the worker or beat is alive; empty: none.",
    )


def read_environment() -> Environment:
    """The validated environment.

    Raises:
        SystemExit: a variable is missing or bad; the message has one line for each. Values are not
            repeated in it, since URLs hold passwords.
    """
    try:
        return Environment()
    except ValidationError as error:
        lines = []
        for mistake in error.errors():
            field = str(mistake["loc"][0])
            reason = "is missing" if mistake["type"] == "missing" else mistake["msg"].removeprefix("Value error, ")
            example = (Environment.model_fields[field].examples or [""])[0]
            lines.append(f"{field.upper()}: {reason}. Write for example: {field.upper()}={example}")
        raise SystemExit("\n".join(lines)) from None


env = read_environment()
