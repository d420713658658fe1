"""What to cite for each model."""

CITATIONS: dict[str, tuple[str, ...]] = {
    "arphmm": (
        "P. Juesas, E. Ramasso, S. Drujont, V. Placet (2016). Autoregressive hidden Markov models with partial "
        "knowledge on latent space applied to aero-engines prognostics. PHM Society European Conference "
        "3(1). arXiv:2105.00211.",
        "E. Ramasso, T. Denoeux (2014). Making use of partial knowledge about hidden states in HMMs: an approach "
        "based on belief functions. IEEE Transactions on Fuzzy Systems 22(2):395-405.",
    ),
    "biclustering": (
        "G. Wei (2023). Bayesian bi-clustering of neural spiking activity with latent structures. International "
        "Conference on Learning Representations 2024. arXiv:2309.02213.",
        "S. Fruehwirth-Schnatter, G. Malsiner-Walli, B. Gruen (2021). Generalized mixtures of finite mixtures and "
        "telescoping sampling. Bayesian Analysis 16(4):1279-1307.",
        "N. G. Polson, J. G. Scott, J. Windle (2013). Bayesian inference for logistic models using Polya-Gamma latent "
        "variables. Journal of the American Statistical Association 108(504):1339-1349.",
    ),
    "dkf": (
        "M. C. Burkhart, D. M. Brandman, B. Franco, L. R. Hochberg, M. T. Harrison (2020). The discriminative Kalman "
        "filter for Bayesian filtering with nonlinear and nongaussian observation models. Neural Computation "
        "32(5):969-1017.",
        "M. C. Burkhart (2019). A discriminative approach to Bayesian filtering with applications to human neural "
        "decoding. PhD thesis, Brown University. arXiv:1807.06173.",
        "D. M. Brandman, M. C. Burkhart, J. Kelemen, B. Franco, M. T. Harrison, L. R. Hochberg (2018). Robust "
        "closed-loop control of a cursor in a person with tetraplegia using Gaussian process regression. Neural "
        "Computation 30 (for the regressor MultipleKernel).",
    ),
    "gpvae": (
        "R. Gondur, U. B. Sikandar, E. Schaffer, M. C. Aoi, S. L. Keeley (2024). Multi-modal Gaussian process "
        "variational autoencoders for neural and behavioral data. International Conference on Learning "
        "Representations. arXiv:2310.03111.",
        "B. M. Yu, J. P. Cunningham, G. Santhanam, S. I. Ryu, K. V. Shenoy, M. Sahani (2009). Gaussian-process factor "
        "analysis for low-dimensional single-trial analysis of neural population activity. Journal of Neurophysiology "
        "102(1):614-635.",
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
    "pvrnn": (
        "A. Ahmadi, J. Tani (2019). A novel predictive-coding-inspired variational RNN model for online prediction and "
        "recognition. Neural Computation 31(11). arXiv:1811.01339.",
    ),
    "vrnn": (
        "J. Chung, K. Kastner, L. Dinh, K. Goel, A. Courville, Y. Bengio (2015). A recurrent latent variable model for "
        "sequential data. Advances in Neural Information Processing Systems 28. arXiv:1506.02216.",
    ),
}
PACKAGE = "neurolatent: see CITATION.cff in the repository, and cite the papers of the models that you used."
