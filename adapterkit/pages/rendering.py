"""Filling a template of `templates/`. Everything put into one is escaped, pictures apart."""

from collections.abc import Mapping
from importlib import resources

from adapterkit.pages.svg import Picture
from adapterkit.templating import html_environment


def render(template: str, values: Mapping[str, object]) -> str:
    """Fill the template of that file name; a value that is missing is an error."""
    from markupsafe import Markup

    def drawn(picture: Picture) -> Markup:
        return Markup(picture.inline())

    environment = html_environment(_load)
    environment.filters["svg"] = drawn
    return environment.get_template(template).render(values)


def _load(name: str) -> str:
    return (resources.files("adapterkit") / "templates" / name).read_text(encoding="utf-8")
