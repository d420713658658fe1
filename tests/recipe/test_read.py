from pathlib import Path

import pytest

from neurolatent.checks import InputError
from neurolatent.recipe import grid, parse_over, read_recipe
from neurolatent.recipe.read import SECTIONS, set_at
from tests.small_fleet import recipe, with_data, write

MODELS = sorted((Path(__file__).parents[2] / "models").glob("*.toml"))


def test_resolved_recipe_is_read_back_equal(tmp_path):
    tables = recipe(title="t", arms={"a": {"data.knowledge": {}, "model.n_states": 3}}, sweep={"seed": [0, 1]})
    read = read_recipe(write(tmp_path, tables))
    (tmp_path / "elsewhere").mkdir()
    again = tmp_path / "elsewhere" / "recipe.toml"
    again.write_text(read.to_toml())
    assert read_recipe(again).table == read.table


def test_a_quick_run_changes_what_it_names_and_expects_nothing(tmp_path):
    tables = recipe(quick={"engine.steps": 3, "model.n_states": 5}, expect={"loglik": [0.0, 1.0]})
    read = read_recipe(write(tmp_path, tables))
    shorter = read.quick()
    assert shorter.section("model")["n_states"] == 5
    assert shorter.section("engine")["steps"] == 3
    assert "expect" in read.table
    assert "expect" not in shorter.table
    with pytest.raises(InputError, match="no shorter run"):
        read_recipe(write(tmp_path, recipe())).quick()


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_published_recipes_are_read_back_equal(path, tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROLATENT_DATA", "/data")
    read = read_recipe(path)
    (tmp_path / path.name).write_text(read.to_toml())
    assert read_recipe(tmp_path / path.name) == type(read)(read.name, read.table, tmp_path)


def test_paths_are_relative_to_the_file(tmp_path, monkeypatch):
    path = write(tmp_path, {**with_data(sequences="../facts.csv"), "card": "card.md"})
    monkeypatch.chdir("/")
    read = read_recipe(path)
    assert read.section("data")["path"] == str(tmp_path / "fleet.csv")
    assert read.section("data")["sequences"] == str(tmp_path.parent / "facts.csv")
    assert read.cards == [tmp_path / "card.md"]


def test_other_values_are_no_paths(tmp_path):
    simulate = {"sequences": 3, "length": 10}
    read = read_recipe(write(tmp_path, recipe(data={"simulate": simulate})))
    assert read.section("data")["simulate"] == simulate


def test_paths_in_arms_and_overrides_are_resolved_too(tmp_path):
    arm = {"data.knowledge": {"intervals": {"path": "known.csv", "levels": ["a", "b"]}}}
    read = read_recipe(write(tmp_path, recipe(arms={"other": arm})))
    known = read.arms()["other"].section("data")["knowledge"]["intervals"]["path"]
    assert known == str(tmp_path / "known.csv")
    assert read.with_values({"data.path": "x.csv"}).section("data")["path"] == str(tmp_path / "x.csv")


def test_data_prefix_is_the_folder_of_real_recordings(tmp_path, monkeypatch):
    path = write(tmp_path, with_data(path="data:sub/file.csv"))
    monkeypatch.setenv("NEUROLATENT_DATA", str(tmp_path / "real"))
    assert read_recipe(path).section("data")["path"] == str(tmp_path / "real" / "sub" / "file.csv")
    monkeypatch.delenv("NEUROLATENT_DATA")
    with pytest.raises(InputError, match="'data:sub/file.csv'.*NEUROLATENT_DATA is not set. Set it"):
        read_recipe(path)


FAULTS = {
    "no TOML": ("seed = ", "is not TOML"),
    "unknown section": ("[data]\npath='a'\n[modle]\nname='arphmm'", "unknown key 'modle'. Did you mean 'model'?"),
    "no data": ("[model]\nname='arphmm'", r"the section \[data\] is missing"),
    "no model": ("[data]\npath='a'", r"the section \[model\] is missing"),
    "section of another type": ("data = 3\n[model]\nname='a'", r"\[data\]: a table is expected, got 3"),
    "text as seed": ("seed='x'\n[data]\n[model]", "seed must be a whole number of at least 0, got 'x'"),
    "negative seed": ("seed=-1\n[data]\n[model]", "seed must be a whole number of at least 0, got -1"),
    "yes as seed": ("seed=true\n[data]\n[model]", "seed must be a whole number of at least 0, got True"),
    "number as title": ("title=3\n[data]\n[model]", "title: text is expected, got 3"),
    "one table of steps": ("[data]\n[model]\n[prepare]\nname='a'", r"one table \[\[prepare\]\] for each step"),
    "arm of another type": ("[data]\n[model]\n[arms]\nx=3", r"\[arms.x\]: a table is expected, got 3"),
    "arm with other data": ("[data]\n[model]\n[arms.x]\n'data.path'='a'", "'data.path': an arm differs in"),
    "arm without dots": ("[data]\n[model]\n[arms.x]\ndata={}", "'data': an arm differs in"),
    "expect a number": ("[data]\n[model]\n[expect]\nx=3", r"\[expect\] 'x': two numbers \[low, high\] are expected"),
    "expect text": ("[data]\n[model]\n[expect]\nx=['a','b']", "two numbers"),
    "expect turned": ("[data]\n[model]\n[expect]\nx=[2,1]", r"low must not be above high, got \[2, 1\]"),
}


@pytest.mark.parametrize(("text", "message"), FAULTS.values(), ids=FAULTS)
def test_faults_are_refused_by_name(text, message, tmp_path):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(InputError, match=message) as error:
        read_recipe(tmp_path / "mine.toml")
    assert str(error.value).startswith("mine")


def test_missing_file_gives_the_close_matches(tmp_path):
    write(tmp_path)
    with pytest.raises(FileNotFoundError, match="Did you mean 'recipe.toml'"):
        read_recipe(tmp_path / "recipes.toml")


def test_overrides_reach_into_tables_and_leave_the_recipe(tmp_path):
    read = read_recipe(write(tmp_path))
    varied = read.with_values({"model.n_states": 5, "seed": 7, "engine.steps": 3, "test.horizon": 2})
    assert (varied.seed, varied.section("model")["n_states"]) == (7, 5)
    assert (varied.section("engine"), varied.section("test")) == ({"name": "em", "steps": 3}, {"horizon": 2})
    assert (read.seed, read.section("model")["n_states"], read.section("test")) == (0, 2, {})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"modle.n_states": 3}, "unknown key 'modle'. Did you mean 'model'"),
        ({"seed.x": 3}, "leads through 'seed', which is no table"),
        ({"seed": "x"}, "seed must be a whole number"),
    ],
)
def test_faulty_overrides_are_refused(values, message, tmp_path):
    with pytest.raises(InputError, match=message):
        read_recipe(write(tmp_path)).with_values(values)


def test_set_at_makes_tables_on_the_way():
    table = {}
    set_at(table, "data.knowledge.labels.nu", 0.5, "r")
    assert table == {"data": {"knowledge": {"labels": {"nu": 0.5}}}}


def test_arms_change_what_they_name(tmp_path):
    arms = {"blind": {"data.knowledge": {}}, "big": {"model.n_states": 4, "engine": {"name": "em", "steps": 2}}}
    got = read_recipe(write(tmp_path, recipe(arms=arms))).arms()
    assert list(got) == ["blind", "big"]
    assert got["blind"].section("data")["knowledge"] == {}
    assert got["blind"].section("model")["n_states"] == 2
    assert got["big"].section("engine") == {"name": "em", "steps": 2}


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("seed=0..3", [0, 1, 2, 3]),
        ("seed=7", [7]),
        ("model.order=-1..1", [-1, 0, 1]),
        ("x=0.1,0.25", [0.1, 0.25]),
        ("engine.start=random,segments", ["random", "segments"]),
        ("engine.use_prior=true,false", [True, False]),
        ('model.channels=["a","b"],["c"]', [["a", "b"], ["c"]]),
        ("data.path=../x.csv", ["../x.csv"]),
        ("model.signal=a b", ["a b"]),
        ("x=1,none", [1, "none"]),
    ],
)
def test_over_reads_values(word, values):
    assert parse_over([word]) == {word.partition("=")[0]: values}


@pytest.mark.parametrize("word", ["seed", "seed=", "=3", "seed=5..2"])
def test_over_refuses_what_says_nothing(word):
    with pytest.raises(InputError, match=f"--over '{word}'"):
        parse_over([word])


def test_over_refuses_a_key_twice():
    with pytest.raises(InputError, match="'seed' stands twice"):
        parse_over(["seed=0", "seed=1"])


def test_grid_is_the_product_in_order(tmp_path):
    got = grid(read_recipe(write(tmp_path)), {"model.n_states": [2, 3], "seed": [0, 1]})
    assert [point for point, _ in got] == [{"model.n_states": k, "seed": s} for k in (2, 3) for s in (0, 1)]
    assert [(r.section("model")["n_states"], r.seed) for _, r in got] == [(2, 0), (2, 1), (3, 0), (3, 1)]


@pytest.mark.parametrize("values", [3, [], "ab"])
def test_grid_needs_lists(values, tmp_path):
    with pytest.raises(InputError, match=r"\[sweep\] 'seed': a list of values is expected"):
        grid(read_recipe(write(tmp_path)), {"seed": values})


def test_all_sections_of_the_published_recipes_are_known():
    assert {"title", "card", "seed", "data", "prepare", "model", "engine"} < set(SECTIONS)
