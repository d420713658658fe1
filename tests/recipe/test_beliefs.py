import numpy as np
import pytest

from neurolatent.checks import InputError
from neurolatent.recipe.beliefs import error_probabilities, knowledge_of
from neurolatent.recording import Recording, knowledge
from tests.small_fleet import table

STATES = [np.repeat([0, 1, 2], 40), np.repeat([2, 0], 30)]


@pytest.fixture
def recording():
    return Recording.of(
        {"state": STATES, "signal": [np.zeros((120, 1)), np.zeros((60, 1))]}, kinds={"state": "category"}
    )


def fleet() -> Recording:
    return Recording.of(table(), sequence="unit", clock="cycle", failed=True)


def rendered(table: dict, recording: Recording, states: int = 3, seed: int = 0) -> np.ndarray:
    return knowledge_of(table, recording, "r", seed).render(recording, states)


@pytest.mark.parametrize("mean", [0.1, 0.3, 0.5, 0.8, 0.9])
def test_error_probabilities_have_the_stated_mean_and_spread(mean):
    got = error_probabilities(mean, 200_000, np.random.default_rng(0))
    assert got.mean() == pytest.approx(mean, abs=0.003)
    assert got.std() == pytest.approx(0.2, abs=0.003)
    assert ((got >= 0) & (got <= 1)).all()


@pytest.mark.parametrize("mean", [0.0, 0.02, 0.99, 1.0])
def test_error_probabilities_are_constant_where_no_beta_has_that_spread(mean):
    assert (error_probabilities(mean, 5, np.random.default_rng(0)) == mean).all()


def test_share_of_labels_is_that_of_each_sequence(recording):
    got = rendered({"labels": {"signal": "state", "of": 3, "share": 0.25}}, recording)
    labelled = (got < 1).any(axis=1)
    assert [labelled[part].sum() for part in recording.slices()] == [30, 15]
    truth = np.concatenate(STATES)
    np.testing.assert_array_equal(got[labelled], np.eye(3)[truth[labelled]])


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (1.0, 180)])
def test_all_labels_or_none(share, count, recording):
    assert (rendered({"labels": {"signal": "state", "of": 3, "share": share}}, recording) < 1).any(
        axis=1
    ).sum() == count


def test_labels_repeat_by_seed(recording):
    rule = {"labels": {"signal": "state", "of": 3, "share": 0.5}}
    first, again, other = (rendered(rule, recording, seed=s) for s in (4, 4, 5))
    assert (first == again).all()
    assert (first != other).any()


def test_specificity_of_labels(recording):
    got = rendered({"labels": {"signal": "state", "of": 3, "nu": 0.3}}, recording)
    np.testing.assert_array_equal(np.sort(got, axis=1), np.tile([0.3, 0.3, 1.0], (180, 1)))


def noisy(recording: Recording, use: str, error: float = 0.4) -> np.ndarray:
    return rendered({"noisy_labels": {"signal": "state", "of": 3, "error": error, "use": use}}, recording)


def test_noisy_labels_state_the_same_labels_softly_and_hard(recording):
    soft, hard = noisy(recording, "soft"), noisy(recording, "hard")
    np.testing.assert_array_equal(soft.argmax(axis=1), hard.argmax(axis=1))
    assert (np.sort(hard, axis=1) == [0, 0, 1]).all()
    low = soft.min(axis=1)
    np.testing.assert_allclose(soft.max(axis=1), low + 1 - 3 * low)  # q / K elsewhere, q / K + 1 - q at the label
    assert 3 * low.mean() == pytest.approx(0.4, abs=0.06)


def test_noisy_labels_are_wrong_as_often_as_stated():
    truth = np.random.default_rng(0).integers(0, 3, 30_000)
    long = Recording.of({"state": truth}, kinds={"state": "category"})
    wrong = np.mean(noisy(long, "hard").argmax(axis=1) != truth)
    assert wrong == pytest.approx(0.4 * 2 / 3, abs=0.012)


def test_noisy_labels_without_error_and_without_use(recording):
    np.testing.assert_array_equal(noisy(recording, "soft", 0.0), np.eye(3)[np.concatenate(STATES)])
    assert (noisy(recording, "none") == 1).all()


def test_rules_are_those_of_the_library():
    recording = fleet()
    both = {
        "start_end": {"n_start": 3, "n_end": 2},
        "life_fraction": {"edges": [0, 0.5, 1], "overlap": 0.1, "off": 0.2},
    }
    want = knowledge.start_end(recording, 3, 2) & knowledge.life_fraction(recording, [0, 0.5, 1], overlap=0.1, off=0.2)
    np.testing.assert_array_equal(rendered(both, recording, 2), want.render(recording, 2))


def test_intervals_come_from_a_file(tmp_path):
    path = tmp_path / "known.csv"
    path.write_text("sequence,first,last,level,confidence\n1,1,10,good,0.8\n")
    recording = fleet()
    got = rendered({"intervals": {"path": str(path), "levels": ["good", "bad"]}}, recording, 2)
    np.testing.assert_allclose(got[:11], [[1, 0.2]] * 10 + [[1, 1]])
    assert (got[11:] == 1).all()


FAULTS = {
    "unknown rule": ({"lables": {}}, "r: unknown key 'lables'. Did you mean 'labels'"),
    "no table": ({"start_end": 3}, "r.start_end: a table is expected, got 3"),
    "unknown key": ({"start_end": {"n_first": 3}}, "r.start_end: unknown key 'n_first'. "),
    "text": ({"start_end": {"n_start": "3"}}, "r.start_end.n_start: a value of type int"),
    "negative": ({"start_end": {"n_start": -3}}, "n_start must be a whole number of at least 0"),
    "missing": ({"life_fraction": {"off": 0.1}}, "r.life_fraction: 'edges' is missing"),
    "number for edges": ({"life_fraction": {"edges": 3}}, "edges: a list is expected"),
    "plausibility above 1": (
        {"life_fraction": {"edges": [0, 1], "off": 1.5}},
        r"off must lie in \[0.0, 1.0\], got 1.5",
    ),
    "share above 1": ({"labels": {"signal": "cycle", "of": 2, "share": 2}}, r"share must lie in \[0.0, 1.0\], got 2"),
    "signal": ({"labels": {"signal": "stats", "of": 2}}, "no signal 'stats'"),
    "error above 1": ({"noisy_labels": {"signal": "s", "of": 2, "error": 1.2}}, "error must lie in"),
    "use": ({"noisy_labels": {"signal": "s", "of": 2, "error": 0.2, "use": "sof"}}, "Did you mean 'soft'"),
}


@pytest.mark.parametrize(("rules", "message"), FAULTS.values(), ids=FAULTS)
def test_faults_are_refused_with_their_place(rules, message):
    with pytest.raises(InputError, match=message):
        knowledge_of(rules, fleet(), "r", 0)


TABLES = {
    "no file": (None, "does not exist"),
    "no column": ("sequence,first,last\n1,1,2\n", "no column 'level'"),
    "unknown unit": ("sequence,first,last,level\n99,1,2,good\n", "known.csv.*row 1: no sequence '99'"),
    "unknown level": ("sequence,first,last,level\n1,1,2,goood\n", "no level 'goood'. Did you mean 'good'"),
    "text in a number": ("sequence,first,last,level,confidence\n1,1,2,good,high\n", "known.csv"),
    "confidence above 1": (
        "sequence,first,last,level,confidence\n1,1,2,good,1.5\n",
        r"confidence must lie in \[0, 1\]",
    ),
    "empty": ("", "known.csv: the file is empty"),
}


@pytest.mark.parametrize(("text", "message"), TABLES.values(), ids=TABLES)
def test_faulty_tables_of_intervals_are_refused(text, message, tmp_path):
    path = tmp_path / "known.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises((InputError, FileNotFoundError), match=message):
        knowledge_of({"intervals": {"path": str(path), "levels": ["good", "bad"]}}, fleet(), "r", 0)
