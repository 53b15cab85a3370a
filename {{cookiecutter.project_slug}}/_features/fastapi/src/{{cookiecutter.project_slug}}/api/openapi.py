"""The description of this API, for programs: `/openapi.json`."""

from typing import Any

from fastapi import Depends, FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from {{ cookiecutter.project_slug }} import submissions
from {{ cookiecutter.project_slug }}.api.problems import Problem
from {{ cookiecutter.project_slug }}.api.security import require_key


def submission_schema() -> tuple[dict[str, Any], dict[str, Any]]:
    """What may be submitted: the schema of a body, and those that it or an error refers to, by their names."""
    models = submissions.submittable()
    described: list[type[BaseModel]] = [Problem, *models.values()]
    references, definitions = models_json_schema(
        [(model, "validation") for model in described], ref_template="#/components/schemas/{model}"
    )
    bodies = []
    for name, model in models.items():
        needs_arguments = any(field.is_required() for field in model.model_fields.values())
        bodies.append(
            {
                "type": "object",
                "title": name,
                "properties": {"task": {"const": name}, "arguments": references[model, "validation"]},
                "required": ["task", "arguments"] if needs_arguments else ["task"],
                "additionalProperties": False,
            }
        )
    return {"oneOf": bodies}, definitions["$defs"]


def install(app: FastAPI) -> None:
    """Add the description to the application."""
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            described = describe()
            body, schemas = submission_schema()
            described.setdefault("components", {}).setdefault("schemas", {}).update(schemas)
            described["paths"]["/tasks"]["post"]["requestBody"] = {
                "required": True,
                "content": {"application/json": {"schema": body}},
            }
        return app.openapi_schema or {}

    app.openapi = openapi  # type: ignore[method-assign]

    @app.get("/openapi.json", include_in_schema=False, dependencies=[Depends(require_key)])
    async def schema() -> JSONResponse:
        return JSONResponse(app.openapi())
