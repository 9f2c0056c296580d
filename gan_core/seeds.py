"""One seed, many independent random streams: no two things that are drawn by chance share their numbers.

Two generators of one kind that begin with one seed draw the same numbers: noise would repeat the first
weights. A hash of the seed and the stream's place gives each a beginning of its own. Source: numpy's
`SeedSequence`, after O'Neill 2015, "Developing a seed_seq alternative".
"""

from __future__ import annotations

import numpy as np

STREAMS = (  # in this order for good: a place in it is part of every seed
    "weights",  # first weights of both networks, and the vectors that spectral norm begins with
    "latents",  # z of the training steps
    "data_order",  # by epoch
    "training",  # dropout, augmentation, penalties, flipped labels; beside the first process by step and rank
    "sample_grid",  # z of the grids
    "evaluation",  # z of the scores, of seed 0 in all runs: they are held against each other
)
VERSION = 2  # 1: the seed itself for almost everything; a checkpoint names its own


def stream_seed(seed: int, stream: str, *place: int) -> int:
    """The seed of one of `STREAMS`, 0 to 2**63 - 1; `place` (an epoch, a step) tells its parts
    from each other.

    Raises:
        ValueError: there is no such stream.
    """
    sequence = np.random.SeedSequence(seed, spawn_key=(STREAMS.index(stream), *place))
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))
