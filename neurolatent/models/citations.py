"""What to cite for each model."""

CITATIONS: dict[str, tuple[str, ...]] = {
    "arphmm": (
        "P. Juesas, E. Ramasso, S. Drujont, V. Placet (2016). Autoregressive hidden Markov models with partial "
        "knowledge on latent space applied to aero-engines prognostics. PHM Society European Conference "
        "3(1). arXiv:2105.00211.",
        "E. Ramasso, T. Denoeux (2014). Making use of partial knowledge about hidden states in HMMs: an approach "
        "based on belief functions. IEEE Transactions on Fuzzy Systems 22(2):395-405.",
    ),
}
PACKAGE = "neurolatent: see CITATION.cff in the repository, and cite the papers of the models that you used."
