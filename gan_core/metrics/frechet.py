"""Fréchet distance between two clouds of features.

Not the FID: that name belongs to the features of one Inception network trained on ImageNet. Here they are
the classifier's, and the number has a meaning only beside its floor, the distance between real pictures and
other real pictures at the same count.
"""

from __future__ import annotations

import numpy as np

from gan_core.metrics.inputs import MetricInput


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Squared 2-Wasserstein distance of the normal distributions fitted to `a` (N, D) and `b` (M, D).

    |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)), the covariances S with N - 1 below the line. At
    least two rows each; needs no full rank.

    Source: Dowson and Landau 1982, eq. 4; used for GANs by Heusel et al. 2017, arXiv 1706.08500, eq. 6.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    gap = a.mean(axis=0) - b.mean(axis=0)  # (D,)
    cov_a, cov_b = _covariance(a), _covariance(b)  # (D, D)
    variances, axes = np.linalg.eigh(cov_a)
    half = axes * np.sqrt(variances.clip(min=0))  # (D, D), half @ half.T = S_a
    # S_a S_b and half.T S_b half have the same eigenvalues, and the latter is symmetric
    cross = np.sqrt(np.linalg.eigvalsh(half.T @ cov_b @ half).clip(min=0)).sum()
    distance = gap @ gap + np.trace(cov_a) + np.trace(cov_b) - 2 * cross
    return max(float(distance), 0.0)


def _covariance(rows: np.ndarray) -> np.ndarray:
    centred = rows - rows.mean(axis=0)
    return np.asarray(centred.T @ centred / (len(rows) - 1))


def frechet(inputs: MetricInput) -> float:
    """Fréchet distance of the generated pictures from the real ones."""
    return frechet_distance(inputs.generated.features, inputs.real.features)


def frechet_over_floor(inputs: MetricInput) -> float:
    """Fréchet distance as a multiple of that of real pictures; 1 cannot be told from real."""
    return frechet(inputs) / max(frechet(inputs.if_real()), 1e-12)
