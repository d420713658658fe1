"""What to cite for each model."""

CITATIONS: dict[str, tuple[str, ...]] = {
    "arphmm": (
        "P. Juesas, E. Ramasso, S. Drujont, V. Placet (2016). Autoregressive hidden Markov models with partial "
        "knowledge on latent space applied to aero-engines prognostics. PHM Society European Conference "
        "3(1). arXiv:2105.00211.",
        "E. Ramasso, T. Denoeux (2014). Making use of partial knowledge about hidden states in HMMs: an approach "
        "based on belief functions. IEEE Transactions on Fuzzy Systems 22(2):395-405.",
    ),
    "hmmglm": (
        "C. Li, S. Y. Kim, C. Rodgers, H. Choi, A. Wu (2024). One-hot generalized linear model for switching brain "
        "state discovery. International Conference on Learning Representations. arXiv:2310.15263.",
        "Z. C. Ashwood, N. A. Roy, I. R. Stone, International Brain Laboratory, A. E. Urai, A. K. Churchland, "
        "A. Pouget, J. W. Pillow (2022). Mice alternate between discrete strategies during perceptual "
        "decision-making. Nature Neuroscience 25:201-212.",
        "S. Escola, A. Fontanini, D. Katz, L. Paninski (2011). Hidden Markov models for the stimulus-response "
        "relationships of multistate neural systems. Neural Computation 23(5):1071-1132.",
    ),
}
PACKAGE = "neurolatent: see CITATION.cff in the repository, and cite the papers of the models that you used."
