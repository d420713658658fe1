"""Mathematics on arrays: JAX (NumPy and SciPy where work stays on the host) and nothing else of this package.

Functions are pure and not jitted: the caller compiles them as a part of its own step. Inputs are not checked here.
"""
