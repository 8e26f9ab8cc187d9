"""Files of pictures: one each."""

from pathlib import Path

from adapterkit.pages.pictures import write_pictures
from tests.pages.test_report import made_of, row


def test_pictures_of_other_splits_and_metrics_do_not_overwrite_each_other(tmp_path: Path) -> None:
    rows = [
        row(language=code, method=method, split=split, metric=metric, group="dev", text_bytes=size)
        for code, size in (("glv", 100), ("sme", 200), ("kpv", 300), ("cym", 400))
        for method in ("own", "source-kept")
        for split, metric in (("dev", "accuracy"), ("test-half", "accuracy"), ("dev", "macro_f1"))
    ]
    drawings = made_of(tmp_path, rows).drawings()
    assert len(drawings) == 3 * 4
    assert all("-2" not in picture.name for picture in drawings)
    files = write_pictures(tmp_path / "png", drawings)
    assert len(list((tmp_path / "png").iterdir())) == len(files) == len(drawings)


def test_names_that_come_to_the_same_file_are_told_apart(tmp_path: Path) -> None:
    rows = [
        row(method=method, backbone=name)
        for method in ("own", "source-kept")
        for name in ("a/b", "a-b", "A b")
    ]
    drawings = made_of(tmp_path, rows).drawings()
    assert len(drawings) == 9
    assert len({picture.name for picture in drawings}) == 9
