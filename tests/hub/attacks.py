"""The 46 attacks as a table: what comes, what we do, which tests show it. ``python -m tests.hub.attacks`` writes the page."""

from pathlib import Path

PAGE = Path(__file__).parent.parent.parent / "docs" / "hub-attacks.md"
ENDPOINT, CONTENT = "hub/test_attacks_endpoint.py", "hub/test_attacks_content.py"
BROKEN, PEFT, HUB = "formats/test_broken.py", "formats/test_broken_peft.py", "test_hub.py"
BOTTLENECK, LORA = "test_26_to_42_hostile_bottlenecks", "test_29_to_41_hostile_loras"
HEADERS = "compared with the digest and commit that were listed; no path is ever made of a header"


def _in(file: str, *names: str) -> list[str]:
    return [f"{file}::{name}" for name in names]


def _met(number: int, *loras: str) -> list[str]:
    """Cases of the tables of hostile folders."""
    return [
        f"{CONTENT}::{BOTTLENECK}[{number} ...]",
        *(f"{CONTENT}::{LORA}[{number} {name}]" for name in loras),
    ]


CASES: list[tuple[int, str, str, list[str]]] = [
    (1, "ETag that climbs (`../`)", HEADERS, _in(ENDPOINT, "test_01_an_etag_that_climbs")),
    (
        2,
        "ETag that is an absolute path",
        HEADERS,
        _in(ENDPOINT, "test_02_an_etag_that_is_an_absolute_path"),
    ),
    (
        3,
        "commit header that climbs, on a 200",
        HEADERS,
        _in(ENDPOINT, "test_03_a_commit_header_that_climbs"),
    ),
    (
        4,
        "the same on a 404",
        "a 404 of a listed file is an error; nothing is remembered of it",
        _in(ENDPOINT, "test_04_a_commit_header_that_climbs_on_a_404"),
    ),
    (
        5,
        "commit in the listing that is a path, or none",
        "must be 40 hexadecimal digits",
        _in(ENDPOINT, "test_05_a_commit_that_is_none"),
    ),
    (6, "no ETag", "refused", _in(ENDPOINT, "test_06_no_etag")),
    (7, "no commit header", "refused", _in(ENDPOINT, "test_07_no_commit")),
    (
        8,
        "flipped bit, same size",
        "sha256 (LFS) or git's id (small files) of every file against the listing",
        [
            *_in(ENDPOINT, "test_08_a_flipped_bit"),
            "hub/test_backbones.py::test_a_backbone_is_compared_with_what_the_hub_lists",
        ],
    ),
    (
        9,
        "short body",
        "size against the listing; tried again, then refused",
        _in(ENDPOINT, "test_09_a_body_that_is_too_short"),
    ),
    (
        10,
        "long body",
        "reading stops one byte after the listed size",
        _in(ENDPOINT, "test_10_a_body_that_is_too_long"),
    ),
    (
        11,
        "endless body",
        "the same; answers about repositories have a limit too",
        _in(
            ENDPOINT,
            "test_11_a_body_without_an_end",
            "test_11_an_endless_answer_about_the_repository",
        ),
    ),
    (
        12,
        "gzip bomb",
        "unpacked piece by piece, no further than the limit; other packings refused",
        _in(
            ENDPOINT,
            "test_12_a_gzip_bomb",
            "test_12_a_gzip_bomb_is_not_unpacked_in_memory_either",
            "test_12_an_unknown_packing",
        ),
    ),
    (
        13,
        "slow drip",
        "a deadline for the whole body, by its size",
        _in(ENDPOINT, "test_13_a_slow_drip"),
    ),
    (
        14,
        "huge Retry-After",
        "waits up to a minute; longer ones are told and not waited",
        _in(ENDPOINT, "test_14_a_wait_of_hours", "test_14_a_short_wait_is_waited"),
    ),
    (
        15,
        "next page at another origin",
        "a repository is one answer; no page is followed",
        _in(ENDPOINT, "test_15_a_next_page_at_another_origin"),
    ),
    (
        16,
        "redirect to another origin",
        "followed, without the token",
        _in(ENDPOINT, "test_16_a_redirect_to_another_origin_gets_no_token"),
    ),
    (
        17,
        "redirect to http: or file:, or in a circle",
        "only https (or loopback, from loopback); five hops",
        _in(
            ENDPOINT,
            "test_17_a_redirect_to_http_or_a_file",
            "test_17_a_redirect_in_a_circle",
        ),
    ),
    (
        18,
        "404 for safetensors, with a pickle beside",
        "what is fetched is decided by the listing; the pickle is not asked for",
        _in(ENDPOINT, "test_18_safetensors_that_are_not_there_do_not_lead_to_the_pickle"),
    ),
    (
        19,
        "listing and files disagree",
        HEADERS,
        _in(ENDPOINT, "test_19_a_listing_and_files_that_disagree"),
    ),
    (
        20,
        "HEAD and GET disagree",
        "no HEAD is asked; what GET gives is compared with the listing",
        _in(ENDPOINT, "test_20_a_head_and_a_get_that_disagree"),
    ),
    (
        21,
        "another commit than asked",
        "compared, in the listing and of each file",
        _in(ENDPOINT, "test_21_another_commit_than_was_asked_for"),
    ),
    (
        22,
        "tag moved",
        "the lockfile holds the commit; locking again says that the tag moved, and stops",
        _in(ENDPOINT, "test_22_a_tag_that_was_moved"),
    ),
    (
        23,
        "repository re-registered under an old name",
        "the Hub's own id is kept in cache and lockfile, and compared",
        _in(ENDPOINT, "test_23_a_name_that_belongs_to_another_repository_now"),
    ),
    (
        24,
        "private (or gone) after it was cached",
        "the Hub's no is told; the copy is used by its commit only, when asked for",
        _in(ENDPOINT, "test_24_private_after_it_was_cached"),
    ),
    (
        25,
        "plain http with a token",
        "refused before anything is sent, but for loopback",
        _in(ENDPOINT, "test_25_a_token_is_not_sent_without_encryption"),
    ),
    (26, "pickle with code, raw", "nothing in it runs; only what tensors need is read", _met(26)),
    (
        27,
        "pickle with code, zip, or that takes memory",
        "the same; no tensor and no archive may be more than the file",
        _met(27),
    ),
    (28, "pickle called .safetensors", "the header must be one", _met(28)),
    (
        29,
        "weights of the backbone smuggled in",
        "keys must be exactly the adapter's",
        _met(29, "smuggled embeddings"),
    ),
    (30, "another adapter's keys", "the same", _met(30)),
    (31, "NaN, Inf", "values must be finite", _met(31)),
    (32, "huge values", "values have a bound", _met(32)),
    (33, "no tensors", "all tensors must be there", _met(33)),
    (34, "wrong shapes", "shapes must be those of the configuration", _met(34)),
    (35, "300,000 tensors", "at most 50,000, told by the header alone", _met(35)),
    (
        36,
        "safetensors headers that lie",
        "every byte belongs to one tensor of the right size",
        _met(36),
    ),
    (
        37,
        "base model elsewhere",
        "no backbone is fetched because an adapter says so; another one is a mismatch",
        _in(CONTENT, "test_37_a_base_elsewhere_is_neither_fetched_nor_fitted"),
    ),
    (
        38,
        "base model with code",
        "code is not fetched, and neither run nor asked about where it is there",
        [
            *_in(CONTENT, "test_38_code_in_a_backbones_repository_is_not_even_fetched"),
            *_in(
                HUB,
                "test_code_that_a_backbones_folder_brings_is_never_run",
                "test_code_for_an_unknown_architecture_is_neither_run_nor_asked_about",
                "test_code_for_a_tokenizer_is_neither_run_nor_asked_about",
                "test_code_for_attention_is_not_fetched",
                "test_files_that_transformers_would_load_something_else_for_are_refused",
            ),
        ],
    ),
    (
        39,
        "class or code to import",
        "unknown keys refused; PEFT's `auto_mapping` has no meaning here",
        [*_met(39), *_in(CONTENT, "test_39_a_class_to_import_is_not_imported")],
    ),
    (
        40,
        "pattern that hangs",
        "patterns are compared as ends of names, never run, and told from expressions in one pass",
        _met(40, "a pattern that hangs", "a pattern that takes long to refuse"),
    ),
    (41, "giant rank or tiny factor", "ranges, before a byte is taken", _met(41, "an absurd rank")),
    (42, "JSON too deep, or no object", "depth, size and types are checked", _met(42)),
    (
        43,
        "YAML tag, bomb, double key, `no`",
        "cards are not parsed when pulling",
        _in(CONTENT, "test_43_and_44_a_card_is_text_and_nothing_else"),
    ),
    (
        44,
        "template in a card",
        "cards are not rendered when pulling",
        _in(CONTENT, "test_43_and_44_a_card_is_text_and_nothing_else"),
    ),
    (
        45,
        "file names",
        "only names that any system can hold, no two alike; other kinds of files are not fetched",
        _in(
            CONTENT,
            "test_45_file_names_that_lead_elsewhere",
            "test_45_file_names_that_are_one_on_some_systems",
            "test_45_what_no_adapter_is_made_of_is_not_fetched",
        ),
    ),
    (
        46,
        "local folder of the same name",
        "`pull` never looks at folders; `load_adapter` says which it took (`hub:` means the Hub)",
        [
            *_in(CONTENT, "test_46_a_folder_of_the_same_name_is_not_what_is_pulled"),
            *_in(HUB, "test_hub_names_never_mean_a_folder"),
        ],
    ),
]
MORE = [
    (
        "cache altered, or a file swapped for a link",
        "digests on each use; links, extra and missing files refused",
        _in(CONTENT, "test_a_cache_that_was_altered"),
    ),
    (
        "lockfile edited",
        "read strictly; files must be those locked",
        _in(CONTENT, "test_a_lock_that_was_edited"),
    ),
    (
        "pickle that two readers read as two, that takes years to hash or to multiply, or whose tensors share a storage",
        "what torch reads is what was checked; nothing of a stranger is hashed; axes, numbers and sharing have limits",
        _in(
            "test_pickled.py",
            "test_a_file_that_two_readers_would_read_as_two_is_refused",
            "test_no_tuple_of_a_stranger_is_hashed",
            "test_a_shape_of_thousands_of_huge_numbers_is_refused_at_once",
            "test_a_thousand_tensors_on_one_storage_are_refused",
        ),
    ),
    (
        "recipe that leads out of the data folder",
        "what it names is a path inside",
        _in(
            "experiments/test_hostile_recipes.py",
            "test_a_recipe_reads_nothing_outside_the_data_folder",
        ),
    ),
    (
        "table with HTML, links, control characters or absurd numbers",
        "refused, or shown as text",
        _in(
            "pages/test_hostile_tables.py",
            "test_html_and_links_of_a_table_do_not_reach_its_pages",
            "test_a_table_holds_lines_without_control_characters",
            "test_numbers_that_pages_break_on_are_refused",
        ),
    ),
]


def page() -> str:
    """The page, as it must stand in ``docs``."""
    lines = [
        "# What a pull does against a hostile Hub or repository",
        "",
        "Generated by `python -m tests.hub.attacks`. Each test serves the attack to `adapterkit` from a Hub on",
        "loopback, shows that it came, and that it is refused with one error and nothing written outside the cache",
        "(15, 16, 20, 37 to 39 and 43 to 46: that it does nothing). The guards of 1 to 14, 16 to 25, 38, 45, 46, of",
        "the cache and of the lockfile, and the strict loading behind 26 to 36 and 39 to 42, were switched off one by",
        "one, and the tests failed. For 15, 37, 43 and 44 there is nothing to switch off: pages are not followed,",
        "backbones not fetched, cards not read. Folders of 26 to 42 are tried exhaustively in `tests/formats`.",
        "",
        "| | what comes | what we do | tests |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| {n} | {what} | {do} | {_cell(tests)} |" for n, what, do, tests in CASES]
    lines += [f"| | {what} | {do} | {_cell(tests)} |" for what, do, tests in MORE]
    return "\n".join([*lines, ""])


def _cell(tests: list[str]) -> str:
    return "<br>".join(f"`{test}`" for test in tests)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
