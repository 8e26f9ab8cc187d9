import adapterkit as ak
from adapterkit.errors import AdapterkitError


def test_every_public_name_is_there() -> None:
    for name in ak.__all__:
        assert getattr(ak, name) is not None
    assert set(ak.__all__) <= set(dir(ak))


def test_errors_are_one_tree() -> None:
    for name in ("ConfigError", "CorpusError", "AdapterMismatch", "FolderError", "HubError"):
        assert issubclass(getattr(ak, name), AdapterkitError)
