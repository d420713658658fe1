"""Is fitting an autoregressive HMM, compilation included, at least three times as fast as dynamax?

Twenty EM iterations of an ARHMM (K = 4 states, D = 2 features, order 1, T = 5,000 steps, double precision) through the
public calls: ``neurolatent.fit`` against ``LinearAutoregressiveHMM.fit_em``, each in a fresh process, so that both pay
for compilation; imports are not counted. That both compute the same log likelihood at the same parameters is shown by
a test (tests/models/arphmm). statsmodels fits one-dimensional switching regressions only and compiles nothing, so its
20 EM iterations (K = 2, T = 2,000) stand beside our first call and beside our second one.

Run: ``python benchmarks/arhmm.py [--repeats 5] [--json]``.
"""

import argparse
import json
import statistics
import subprocess
import sys

N_STATES, FEATURES, TIME, STEPS, REPEATS = 4, 2, 5000, 20, 5

DATA = f"""
import time, numpy as np
rng = np.random.default_rng(0)
K, D, T = {N_STATES}, {FEATURES}, {TIME}
A = np.full((K, K), 0.02) + 0.92 * np.eye(K)
W = np.stack([0.6 * np.linalg.qr(rng.normal(size=(D, D)))[0] for _ in range(K)])
b = 2 * rng.normal(size=(K, D))
y, z = np.zeros((T, D)), 0
for t in range(1, T):
    z = rng.choice(K, p=A[z])
    y[t] = W[z] @ y[t - 1] + b[z] + 0.5 * rng.normal(size=D)
"""

OURS = (
    DATA
    + f"""
import jax, neurolatent as nl, xarray
model = nl.ARPHMM(n_states=K, order=1, transitions="ergodic")
engine = nl.EM(steps={STEPS}, min_steps={STEPS}, tolerance=0.0, restarts=1, start="kmeans", use_prior=False)
nl.fit; nl.Recording; import neurolatent.engines.em
begin = time.perf_counter()
fit = nl.fit(model, y, engine=engine, seed=0)
print(time.perf_counter() - begin)
"""
)

THEIRS = (
    DATA
    + f"""
import jax, jax.numpy as jnp
jax.config.update("jax_enable_x64", True)
from dynamax.hidden_markov_model import LinearAutoregressiveHMM
begin = time.perf_counter()
hmm = LinearAutoregressiveHMM(K, D, num_lags=1)
emissions = jnp.asarray(y)
inputs = hmm.compute_inputs(emissions)
params, props = hmm.initialize(key=jax.random.PRNGKey(0), method="kmeans", emissions=emissions)
params, lps = hmm.fit_em(params, props, emissions, inputs=inputs, num_iters={STEPS}, verbose=False)
jax.block_until_ready(lps)
print(time.perf_counter() - begin)
"""
)

STATSMODELS = """
import time, warnings, numpy as np
warnings.simplefilter("ignore")
rng = np.random.default_rng(0)
T, z = 2000, 0
y = np.zeros(T)
for t in range(1, T):
    z = z if rng.uniform() < 0.98 else 1 - z
    y[t] = (0.5, -0.3)[z] * y[t - 1] + (1.0, -1.0)[z] + 0.5 * rng.normal()
"""
STATSMODELS_OURS = (
    STATSMODELS
    + """
import neurolatent as nl, xarray, neurolatent.engines.em
nl.fit; nl.Recording
engine = nl.EM(steps=20, min_steps=20, tolerance=0.0, restarts=1, start="kmeans", use_prior=False)
for _ in range(CALLS):
    begin = time.perf_counter()
    nl.fit(nl.ARPHMM(n_states=2, transitions="ergodic"), y, engine=engine)
print(time.perf_counter() - begin)
"""
)
STATSMODELS_THEIRS = (
    STATSMODELS
    + """
import statsmodels.api as sm
begin = time.perf_counter()
model = sm.tsa.MarkovRegression(y[1:], k_regimes=2, trend="c", exog=y[:-1, None], switching_variance=True)
model.fit(em_iter=20, maxiter=1, disp=False)
print(time.perf_counter() - begin)
"""
)


def seconds(script: str) -> float:
    """Seconds that a fresh process prints on its last line."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return float(done.stdout.strip().splitlines()[-1])


def side_by_side(ours: str, theirs: str, repeats: int) -> dict[str, float]:
    """Medians of both, run in turn, and their ratio."""
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(repeats)]
    mine, peer = (statistics.median(column) for column in zip(*pairs, strict=True))
    return {"ours_seconds": mine, "peer_seconds": peer, "ratio": peer / mine}


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeats", type=int, default=REPEATS)
    options = parser.parse_args()
    result = {
        "arhmm_against_dynamax": side_by_side(OURS, THEIRS, options.repeats),
        "first_call_against_statsmodels": side_by_side(
            STATSMODELS_OURS.replace("CALLS", "1"), STATSMODELS_THEIRS, options.repeats
        ),
        "second_call_against_statsmodels": side_by_side(
            STATSMODELS_OURS.replace("CALLS", "2"), STATSMODELS_THEIRS, options.repeats
        ),
    }
    if options.json:
        print(json.dumps(result, indent=1))
        return
    for name, row in result.items():
        print(f"{name}: ours {row['ours_seconds']:.2f} s, peer {row['peer_seconds']:.2f} s, ratio {row['ratio']:.1f}")


if __name__ == "__main__":
    main()
