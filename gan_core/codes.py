"""InfoGAN's codes: numbers of z that D's second answer must be able to read back from the picture.

z is [noise, a one-hot code of K values, M numbers between -1 and 1] (`gan_core.latent.noise_transform`). The
answer to a picture, (N, K + 2 M), is K logits of the code, then M means and M log deviations of the numbers.
Source: Chen et al. 2016, arXiv 1606.03657, eq. 5 and 6 and appendix C.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

NUMBERS_SHARE = 0.1  # of the weight, for the even numbers: they are on another scale than a class


def code_loss(answer: Tensor, z: Tensor, classes: int) -> Tensor:
    """Minus the mean log-probability that the answers (N, K + 2 M) give to the codes in z (N, L).

    Cross-entropy of the one-hot code plus `NUMBERS_SHARE` times the normal distribution's -log density of the
    numbers, summed over them. Up to the codes' own entropy it is a bound on minus the information that the
    pictures hold on them.
    """
    numbers = (answer.shape[1] - classes) // 2
    first = z.shape[1] - classes - numbers
    loss = answer.new_zeros(())
    if classes:
        loss = loss + F.cross_entropy(answer[:, :classes], z[:, first : first + classes].argmax(1))
    if numbers:
        mean, log_deviation = answer[:, classes:].chunk(2, dim=1)
        off = (z[:, first + classes :] - mean) / log_deviation.exp()
        surprise = 0.5 * off.square() + log_deviation + 0.5 * math.log(2 * math.pi)  # (N, M)
        loss = loss + NUMBERS_SHARE * surprise.sum(1).mean()
    return loss


def matched_accuracy(guesses: np.ndarray, labels: np.ndarray, count: int) -> float:
    """Share of pictures whose guess is their label, once each code stands for the class that serves best.

    guesses, labels: whole numbers (N,) from 0 to `count` - 1. Each code is matched to one class, each class
    to one code, so that as many pictures as possible agree.
    """
    table = np.zeros((count, count), dtype=np.int64)
    np.add.at(table, (guesses, labels), 1)
    return float(table[np.arange(count), assignment(-table)].sum() / len(labels))


def assignment(costs: np.ndarray) -> np.ndarray:
    """The column of each row, all different, with the least sum of `costs` (n, n): whole numbers (n,).

    Row after row is let in by the cheapest chain of exchanges, in n^3 steps in all. Source: Kuhn 1955, with
    the prices of Jonker and Volgenant 1987.
    """
    n = len(costs)
    rows, columns = np.zeros(n + 1), np.zeros(n + 1)  # prices; the last place is for the row let in
    owner = np.full(n + 1, -1)  # the row that holds a column
    for new in range(n):
        owner[n], column = new, n
        cheapest, before = np.full(n, np.inf), np.full(n, n)
        done = np.zeros(n + 1, dtype=bool)
        while owner[column] >= 0:
            done[column] = True
            row = owner[column]
            free = ~done[:n]
            reduced = costs[row] - rows[row] - columns[:n]
            better = free & (reduced < cheapest)
            cheapest[better], before[better] = reduced[better], column
            following = int(np.where(free, cheapest, np.inf).argmin())
            step = cheapest[following]
            rows[owner[done]] += step
            columns[done] -= step
            cheapest[free] -= step
            column = following
        while column != n:  # hand the columns on along the chain
            owner[column] = owner[before[column]]
            column = before[column]
    chosen = np.empty(n, dtype=np.int64)
    chosen[owner[:n]] = np.arange(n)
    return chosen


def guessed(answer: Tensor, classes: int) -> np.ndarray:
    """The likeliest code of each answer (N, K + 2 M): whole numbers (N,)."""
    likeliest: np.ndarray = torch.argmax(answer[:, :classes], dim=1).cpu().numpy()
    return likeliest
