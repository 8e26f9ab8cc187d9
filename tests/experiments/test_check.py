"""`--check`: every problem of recipe, data and methods in one go, before anything starts."""

from dataclasses import replace
from pathlib import Path

import pytest

from adapterkit.errors import ConfigError
from adapterkit.experiments.check import check
from adapterkit.experiments.data import DataFolder
from adapterkit.experiments.run import asked_for, checked_recipe, run
from adapterkit.experiments.run import data_folder as named_folder
from tests.experiments.small import conllu, data_folder, recipe, write
from tests.tiny import lines


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return data_folder(tmp_path / "data")


def problems(tmp_path: Path, data: Path, tiny: Path, *changes: tuple[str, str]) -> list[str]:
    return list(check(recipe(tmp_path, tiny, *changes), DataFolder(data)).problems)


def test_a_good_recipe_is_good(tmp_path: Path, data: Path, tiny_folder: Path) -> None:
    checked = check(recipe(tmp_path, tiny_folder), DataFolder(data))
    assert checked.problems == ()
    assert len(checked.cells) == 12
    assert len(asked_for(checked, ["language=cym", "seed=1"])) == 3
    assert len(asked_for(checked, ["language=cym", "language=bre", "seed=1"])) == 6
    with pytest.raises(ConfigError, match="language=cmy: no cell has it; is 'cym' meant"):
        asked_for(checked, ["language=bre,cmy"])
    first = replace(checked, cells=(checked.cells[0], checked.cells[-1]))  # cym, 0; bre, 1
    with pytest.raises(ConfigError, match="no cell is left of 2"):
        asked_for(first, ["language=cym", "seed=1"])


METHODS = 'methods = ["own", "source-kept", "removed"]'


def test_an_adapter_that_is_missing_is_said_once_beside_what_else_is_wrong(
    tmp_path: Path, data: Path, tiny_folder: Path
) -> None:
    missing = f'[adapters."{tiny_folder}"]\neng = "nowhere"\n[text]'
    changes = (("[text]", missing), ('dev = ["cym", "bre"]', 'dev = ["cym", "glv"]'))
    found = problems(tmp_path, data, tiny_folder, *changes)
    assert sum("nowhere" in one for one in found) == 1, found
    assert any("has no dev examples of glv" in one for one in found), found


@pytest.mark.long
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((METHODS, 'methods = ["onw"]'), "[grid] methods: onw: is not known; is 'own' meant?"),
        (("[text]", '[methods.x]\nlike = "onw"\n[text]'), "like = onw: is not known; is 'own'"),
        ((METHODS, 'methods = ["family"]'), "[relatives] names none of cym"),
        ((METHODS, 'methods = ["several-sources"]'), "names no more_sources"),
        ((METHODS, 'methods = ["few-shot"]'), "say how many: [methods.few-shot] labels = 10"),
        (('dev = ["cym", "bre"]', 'dev = ["cym", "glv"]'), "has no dev examples of glv"),
        (('dev = ["cym", "bre"]', 'dev = ["cym", "eng"]'), "eng is a source and a target"),
        (('dev = ["cym", "bre"]', 'dev = ["bre"]\nx = ["cym"]'), "cym is of the group x"),
        (('dev = ["cym", "bre"]', 'dev = ["bre"]\nsource = ["eng"]'), "eng is of the group source"),
        (('dev = ["cym", "bre"]', 'dev = ["bre"]\nsource = ["cym"]'), "cym is the source of no task"),
        (('source = "eng"', 'source = "bre"'), "has no training examples of bre"),
        (("text/{language}.txt", "txt/{language}.txt"), "there is no text of cym"),
        (("[text]", '[adapters.mini]\neng = "mini:enk"\n[text]'), "no such starter adapter"),
        (('source = "eng"', 'source = "eng"\nexamples = 0'), "[tasks.pos] examples = 0: must be at least 1"),
        (('source = "eng"', 'source = "eng"\ntrain_examples = -2'), "train_examples = -2: must be at least 1"),
        ((METHODS, 'methods = ["own"]\n[methods.own]\nmegabytes = nan'), "megabytes = nan: must be above 0"),
        ((METHODS, 'methods = ["own"]\n[methods.own]\nmegabytes = -1'), "megabytes = -1: must be above 0"),
        ((METHODS, 'methods = ["x"]\n[methods.x]\nlike = "few-shot"\nlabels = -5'), "labels = -5: must be at least 1"),
        ((METHODS, 'methods = ["x"]\n[methods.x]\nlike = "average"\nof = ["own", "source"]\nweights = [nan, 0.5]'), "must be finite numbers"),
        (("[text]", '[adapters.mini]\nfra = "mini:eng"\n[text]'), "is an adapter of eng"),
        (("[text]", '[adapters.mini]\neng = "mini:pos"\n[text]'), "is a task adapter"),
        (('[text]', '[adapters."TINY"]\neng = "mini:eng"\n[text]'), "was made for adapterkit/mini"),
        ((METHODS, 'methods = ["own"]\n[methods.own]\nmegabytes = 1'), "cym has 0.01 MB of text"),
        ((METHODS, 'methods = ["x"]\n[methods.x]\nlike = "few-shot"\nlabels = 31'), "30 training examples of cym, not 31"),
        ((METHODS, 'methods = ["own"]\n[methods.own]\nself_training = { rounds = 1 }'), "self_training has no meaning in own"),
        ((METHODS, 'methods = ["x"]\n[methods.x]\nlike = "self-trained"\nself_training = { by_word = 2 }'), "by_word = 2: must be between 0 and 1"),
        ((METHODS, 'methods = ["x"]\n[methods.x]\nlike = "average"\nof = ["bre", "eng"]\nweights = [1]'), "1 weights for 2"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(
    tmp_path: Path, data: Path, tiny_folder: Path, change: tuple[str, str], said: str
) -> None:
    old, new = change
    if "[methods" in new and old == METHODS:
        new, _, section = new.partition("\n")
        changes = [(old, new), ("[text]", f"{section}\n[text]")]
    else:
        changes = [(old, new.replace("TINY", str(tiny_folder)))]
    found = problems(tmp_path, data, tiny_folder, *changes)
    assert any(said in one for one in found), found


TEXT = 'files = "text/{language}.txt"'
POS = 'files = "ud/{language}_*.{split}.conllu"'


@pytest.mark.long
@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((f"[text]\n{TEXT}", ""), "[text]: give files or dataset"),
        ((TEXT, 'files = "/texts/{language}.txt"'), "files = '/texts/{language}.txt': must be a"),
        ((TEXT, 'files = "**.txt"'), "**.txt"),
        ((TEXT, 'files = "text"'), "there is no text of cym (text)"),
        ((TEXT, 'files = "{name}"\nnames = { cym = "/x" }'), "'/x': is no path in the data"),
        ((TEXT, f"{TEXT}\nnames = {{ cym = 3 }}"), "[text] names: cym = 3: is of the wrong type"),
        ((POS, ""), "[tasks.pos]: give files or dataset"),
        ((POS, 'files = "/ud/{language}.{split}"'), "must be a path inside the data folder"),
        ((POS, f"{POS}\nsplits = {{ dev = 3 }}"), "[tasks.pos] splits: dev = 3: is of the wrong"),
        (('kind = "pos"', 'kind = "pose"'), "kind = 'pose': is not known; is 'pos' meant?"),
        (("[text]", '[methods.own]\nlike = "average"\nof = ["own"]\nweights = ["1"]\n[text]'), "weights = ['1']: is of the wrong type"),
        (("[text]", '[methods.own]\nlike = "average"\nof = ["own"]\nweights = 1\n[text]'), "weights = 1: is of the wrong type"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_place_or_a_weight_is_a_problem_and_no_traceback(
    tmp_path: Path, data: Path, tiny_folder: Path, change: tuple[str, str], said: str
) -> None:
    found = problems(tmp_path, data, tiny_folder, change)
    assert any(said in one for one in found), found


def test_other_labels_are_noticed(tmp_path: Path, data: Path, tiny_folder: Path) -> None:
    write(data / "ud" / "bre_x.test.conllu", conllu(lines(12), tags=("N", "V")))
    (found,) = problems(tmp_path, data, tiny_folder)
    assert "bre: 100 % of its labels are none of eng's (N, V; eng has NOUN, VERB" in found


FEW = ("[text]", '[methods.few]\nlike = "few-shot"\nlabels = 5\n[text]')
SEVERAL = ('source = "eng"', 'source = "eng"\nmore_sources = ["cym"]')


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("cym_x.dev", ()),
        ("bre_x.test", ()),
        ("eng_x.train", ()),
        ("eng_x.dev", ()),
        ("cym_x.train", ((METHODS, 'methods = ["few"]'), FEW)),
        ("cym_x.train", ((METHODS, 'methods = ["several-sources"]'), SEVERAL)),
    ],
)
def test_a_labelled_file_that_cannot_be_read_is_said_before_anything_starts(
    tmp_path: Path, data: Path, tiny_folder: Path, file: str, changes: tuple[tuple[str, str], ...]
) -> None:
    write(data / "ud" / f"{file}.conllu", "1\tword\n")
    found = problems(tmp_path, data, tiny_folder, *changes)
    assert sum(f"{file}.conllu, line 1: a CoNLL-U line has" in one for one in found) == 1, found
    assert any(one.startswith(f"[tasks.pos] {file[:3]}: ") for one in found), found


def test_a_label_among_spans_that_marks_none_is_said_before_anything_starts(
    tmp_path: Path, data: Path, tiny_folder: Path
) -> None:
    for file in (data / "ud").iterdir():
        write(file, file.read_text().replace("NOUN", "O").replace("VERB", "B-PER"))
    target = data / "ud" / "cym_x.dev.conllu"
    write(target, target.read_text().replace("B-PER", "PER", 1))
    (found,) = problems(tmp_path, data, tiny_folder, ('kind = "pos"', 'kind = "tagging"'))
    assert found.startswith("[tasks.pos] cym: span scores were asked for")


def test_a_few_labels_go_on_with_the_shape_that_is_there(
    tmp_path: Path, data: Path, tiny_folder: Path
) -> None:
    changes = (
        (METHODS, 'methods = ["few"]'),
        ('dev = ["cym", "bre"]', 'dev = ["cym"]'),
        (FEW[0], FEW[1].replace("[text]", "[few_shot]\nreduction_factor = 4\n[text]")),
    )
    (found,) = problems(tmp_path, data, tiny_folder, *changes)
    assert found == (
        "few: [few_shot] reduction_factor = 4: the task adapter that goes on has 16, and keeps its shape"
    )
    alike = ("evaluate_every = 3", "evaluate_every = 3\nreduction_factor = 4")
    assert problems(tmp_path, data, tiny_folder, *changes, alike) == []


def test_a_few_labels_are_not_those_that_are_scored(
    tmp_path: Path, data: Path, tiny_folder: Path
) -> None:
    changes = (
        (METHODS, 'methods = ["own", "few"]'),
        FEW,
        ('dev = ["cym", "bre"]', 'dev = ["cym"]'),
    )
    assert problems(tmp_path, data, tiny_folder, *changes) == []
    said = "few: [tasks.pos] cym: its train set is the set that it is scored on"
    one = (POS, 'files = "ud/{language}_x.train.conllu"')
    assert any(said in found for found in problems(tmp_path, data, tiny_folder, *changes, one))
    write(data / "ud" / "cym_x.train.conllu", (data / "ud" / "cym_x.dev.conllu").read_text())
    assert any(said in found for found in problems(tmp_path, data, tiny_folder, *changes))
    sets = (POS, 'dataset = "a/b"\nsplits = { train = "test", dev = "test" }')
    assert any(said in found for found in problems(tmp_path, data, tiny_folder, *changes, sets))


@pytest.mark.parametrize("content", [b"", b"caf\xe9\n" * 50])
def test_a_text_that_cannot_be_read_is_said_once_before_anything_starts(
    tmp_path: Path, data: Path, tiny_folder: Path, content: bytes
) -> None:
    (data / "text" / "cym.txt").write_bytes(content)
    (found,) = problems(tmp_path, data, tiny_folder)
    assert found.startswith("[text] cym: 1 of 1 text file cannot be used"), found


def test_labels_of_spans_cannot_go_on_with_themselves(
    tmp_path: Path, data: Path, tiny_folder: Path
) -> None:
    for file in (data / "ud").iterdir():
        write(file, file.read_text().replace("NOUN", "O").replace("VERB", "B-PER"))
    changes = [(METHODS, 'methods = ["own", "self-trained"]'), ('kind = "pos"', 'kind = "tagging"')]
    (found,) = problems(tmp_path, data, tiny_folder, *changes)
    assert found == (
        "self-trained: [tasks.pos] has labels of spans (B-PER, O): only tags of words (pos) go on so"
    )
    assert problems(tmp_path, data, tiny_folder, changes[1]) == []


def test_a_pattern_that_fits_two_files_is_no_guess(
    tmp_path: Path, data: Path, tiny_folder: Path
) -> None:
    write(data / "ud" / "bre_y.test.conllu", conllu(lines(12)))
    assert any("fits several files" in one for one in problems(tmp_path, data, tiny_folder))


def test_everything_is_said_at_once_and_nothing_starts(
    tmp_path: Path, data: Path, tiny_folder: Path
) -> None:
    path = recipe(
        tmp_path,
        tiny_folder,
        ("heldout_blocks = 4", "heldout_blocs = 4"),
        (METHODS, 'methods = ["own", "several-sources"]'),
        ('dev = ["cym", "bre"]', 'dev = ["cym", "glv"]'),
    )
    with pytest.raises(ConfigError, match="4 problems") as error:
        run(path, data=data, out=tmp_path / "out")
    for said in ("heldout_blocs", "more_sources", "text of glv", "dev examples of glv"):
        assert said in str(error.value), str(error.value)
    assert not (tmp_path / "out").exists()


def test_without_a_data_folder_it_says_what_to_do(
    tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ADAPTERKIT_DATA", raising=False)
    with pytest.raises(ConfigError, match="--data FOLDER, or set ADAPTERKIT_DATA"):
        checked_recipe(recipe(tmp_path, tiny_folder), named_folder(None))
    monkeypatch.setenv("ADAPTERKIT_DATA", str(tmp_path / "gone"))
    with pytest.raises(ConfigError, match="no such data folder"):
        named_folder(None)
