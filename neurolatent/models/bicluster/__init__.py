"""Bayesian bi-clustering of spike counts."""

from neurolatent.models.bicluster.model import BiClustering
from neurolatent.models.bicluster.params import BiclusterData, BiclusterParams

__all__ = ["BiClustering", "BiclusterData", "BiclusterParams"]
