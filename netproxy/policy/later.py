"""A table of a settings file whose model is made when a file has that table.

Making all of them takes pydantic as long as it takes to import it, and most files have few kinds.
What it finds, and what editors are told, is as if the model stood in the field itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import core_schema

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler


class Later:
    """Stands in a field's annotation: `Annotated[Any, Later(import_it)]`."""

    def __init__(self, model: Callable[[], type[BaseModel]]) -> None:
        """`model` imports it, each time that it is asked for."""
        self.model = model

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        """Pydantic's own hook: what reads a value. The model's findings keep their places."""

        def read(value: Any) -> BaseModel:
            return self.model().model_validate(value)

        return core_schema.no_info_plain_validator_function(read)

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Pydantic's own hook: what editors are told."""
        made = self.model().__pydantic_core_schema__
        # By its name among the definitions, as a field with the model itself has it.
        return handler(core_schema.definitions_schema(made, []))
