"""Filling a template of `templates/`: jinja2's one door. Everything put into one is escaped."""

from collections.abc import Mapping
from importlib import resources

from adapterkit.pages.svg import Picture


def render(template: str, values: Mapping[str, object]) -> str:
    """Fill the template of that file name; a value that is missing is an error."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    def load(name: str) -> str:
        return (resources.files("adapterkit") / "templates" / name).read_text(encoding="utf-8")

    environment = Environment(
        loader=FunctionLoader(load),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def drawn(picture: Picture) -> Markup:
        return Markup(picture.inline())

    environment.filters["svg"] = drawn
    return environment.get_template(template).render(values)
