from adapterkit.files import read_json
from benchmarks.compatibility import PAGE, RECORD, ROWS, page


def test_the_page_is_made_from_the_record_and_names_every_feature() -> None:
    record = read_json(RECORD)
    assert PAGE.read_text(encoding="utf-8") == page(record)
    for column in record.values():
        assert set(column) == {feature for feature, _, _ in ROWS}
        assert not any(cell == "FAILED" for cell in column.values())
