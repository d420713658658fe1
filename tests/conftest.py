"""What every test shares: double precision off, programs on disk, a key, the real recordings, figures closed."""

import os
import sys
from pathlib import Path

import pytest

# Before anything imports jax or matplotlib; child processes inherit both.
os.environ["JAX_ENABLE_X64"] = "0"
os.environ["MPLBACKEND"] = "Agg"
# Compiling is most of the time of the tests: workers, child processes and later runs take what one has compiled.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "compiled"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

OPS = Path(__file__).parent / "ops"


MAPS = Path("/proc/self/maps")
MOST_MAPS = 30_000  # of memory in one process; Linux allows 65,530, and every compiled program takes some


@pytest.fixture(autouse=True)
def few_programs():
    """Let go of compiled programs between tests before a process may hold no more of them."""
    yield
    if MAPS.is_file() and MAPS.read_bytes().count(b"\n") > MOST_MAPS:
        import gc

        import jax

        jax.clear_caches()
        gc.collect()


@pytest.fixture
def key():
    import jax

    return jax.random.key(0)


@pytest.fixture
def call(capsys):
    """Exit status, standard output and standard error of a command, run in this process."""
    from neurolatent import cli

    def run(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = cli.run([str(w) for w in words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


@pytest.fixture
def real_data() -> Path:
    """Folder of the real recordings; the test skips where there is none."""
    folder = os.environ.get("NEUROLATENT_DATA")
    if not folder:
        pytest.skip("needs the real recordings: set NEUROLATENT_DATA to their folder (README.md)")
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"NEUROLATENT_DATA is {folder!r}, which is not a folder")
    return path


@pytest.fixture(autouse=True)
def strict_types(request):
    """In tests/ops alone: no silent promotion of types (NumPyro's NUTS does not run under this)."""
    if OPS not in request.path.parents:
        yield
        return
    import jax

    with jax.numpy_dtype_promotion("strict"):
        yield


@pytest.fixture(autouse=True)
def nothing_left_behind():
    """Figures are closed, and no test leaves double precision on for the next one."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
    if "jax" in sys.modules:
        assert not sys.modules["jax"].config.jax_enable_x64, "double precision was switched on globally"
