"""How much tokens tell of which component sounds, in bits: what a decoder trained in other contexts reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .resampling import permutation_p

SHUFFLES = 59
DEALT = 19  # choices dealt anew, where their mean is taken off and nothing is tested
FEWEST_SEEN = 0.5  # share of tokens that other contexts must have for a decoder to be trained on them
PRIOR_SOUNDS = 0.5  # half of a sound, with any token: the prior count of Krichevsky and Trofimov
TRUST = np.array([8.0, 4.0, 2.0, 1.0, 0.5, 0.2])  # powers of the likelihood to choose from, mostly doubled


@dataclass(frozen=True)
class Information:
    """What tokens tell of components, for each codebook.

    Parameters
    ----------
    bits : float64 [components, codebooks]
        Of each component; the mean over components is the information, less that of shuffles. NaN where it
        cannot be measured: less than half of the tokens occur in any other context.
    null_bits : float64 [codebooks]
        Mean over shuffles, near 0.
    p : float64 [codebooks]
        Of the mean against the shuffles.
    seen : float64 [codebooks]
        Share of tokens that occur in other contexts as well.
    """

    bits: np.ndarray
    null_bits: np.ndarray
    p: np.ndarray
    seen: np.ndarray


def information(
    tokens: np.ndarray, seed: int = 0, shuffles: int = SHUFFLES
) -> tuple[Information, Information]:
    """Decode components from tokens in contexts that the decoder was not trained in.

    Parameters
    ----------
    tokens : int [components, contexts, samples, codebooks]
        Each component in each of at least two contexts as often as every other.
    seed : int
        Of the shuffles.
    shuffles : int > 0

    Returns
    -------
    each, joint : Information
        Of every codebook by itself, and of all codebooks up to it at once.

    Notes
    -----
    ``log2(components) + mean log2 P(component | token)``, with P as a decoder has it whose counts are those
    of all other contexts: what its posterior saves of naming the component, at most the mutual information
    of tokens and components in a context that it does not know, and at most 0 if tokens tell nothing. The
    mean over shuffles, which deal components anew within every context and train again, is taken off.

    Samples of one sound resemble each other and count for one between them, which makes a decoder too unsure
    where they do not. Codebooks are taken as
    independent given the component (naive Bayes), so that the many combinations of several need not recur;
    that makes it too sure. So the likelihood is raised to the power of `TRUST` which is best in the other
    contexts.

    Source: information from decoding, Quian Quiroga & Panzeri, Nature Reviews Neuroscience 10:173, 2009; of
    a posterior: Barber & Agakov, NIPS 16:201, 2003; one power for all: Guo et al., ICML 34:1321, 2017.

    Examples
    --------
    >>> named = np.broadcast_to(np.arange(8)[:, None, None, None], (8, 4, 5, 2))
    >>> each, joint = information(named)
    >>> each.bits.mean(0).round(1), joint.bits.mean(0).round(1)
    (array([3., 3.]), array([3., 3.]))
    """
    n, contexts, samples, codebooks = tokens.shape
    names = np.tile(np.arange(n), (shuffles + 1, contexts, 1))
    names[1:] = np.random.default_rng(seed).permuted(names[1:], axis=-1)  # the first stays as it is
    of_each = np.zeros((2, shuffles + 1, n, codebooks))  # bits of each component; by itself, and joint
    seen = np.zeros((2, codebooks))
    known = np.zeros((contexts, n, samples), dtype=bool)
    together = np.zeros((shuffles + 1, contexts, n, n, samples), dtype=np.float32)
    for q in range(codebooks):
        counts, code = _counted(tokens[..., q])
        there = (counts.sum((0, 1)) - counts.sum(1))[np.arange(contexts)[:, None, None], code] > 0
        known |= there
        seen[:, q] = there.mean(), known.mean()
        for r, named in enumerate(names):
            likelihood = _likelihood(counts, code, named)
            together[r] += likelihood
            for k, score in enumerate((likelihood, together[r])):
                of_each[k, r, :, q] = _posterior_bits(score, named)
    each, joint = (_corrected(bits, share) for bits, share in zip(of_each, seen, strict=True))
    return each, joint


def _counted(tokens: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count the tokens [n, contexts, samples] of each sound: [contexts, n, T]; and number them."""
    n, contexts, samples = tokens.shape
    _, code = np.unique(tokens, return_inverse=True)
    code = code.reshape(n, contexts, samples).swapaxes(0, 1)  # [contexts, n, samples]
    size = int(code.max()) + 1
    cell = np.arange(contexts * n).reshape(contexts, n, 1) * size + code
    return np.bincount(cell.ravel(), minlength=contexts * n * size).reshape(contexts, n, size), code


def _likelihood(counts: np.ndarray, code: np.ndarray, named: np.ndarray) -> np.ndarray:
    """Log likelihood of every sample under every component: float32 [contexts, components, n, samples].

    By the counts [contexts, n, T] of other contexts, where component c is sound ``named[context, c]``.
    """
    contexts, prior = len(counts), PRIOR_SOUNDS * code.shape[-1]
    dealt = np.take_along_axis(counts, named[..., None], axis=1)
    others = dealt.sum(0) - dealt  # [contexts, components, T]
    table = np.log(np.arange(others.max() + 1, dtype=np.float32) + np.float32(prior))
    return np.stack([table[others[c]][:, code[c]] for c in range(contexts)])


def _posterior_bits(score: np.ndarray, named: np.ndarray) -> np.ndarray:
    """Bits of each component [n], by log likelihoods [contexts, components, n, samples] of sounds."""
    contexts, n = named.shape
    score = score - score.max(1, keepdims=True)
    true = score[np.arange(contexts)[:, None], np.arange(n), named]  # [contexts, components, samples]
    told = np.zeros((len(TRUST) + 1, contexts, n))  # the last trusts nothing
    for k, (trust, raised) in enumerate(zip(TRUST, _raised(score), strict=True)):
        total = np.take_along_axis(np.log(raised.sum(1)), named[..., None], axis=1)
        told[k] = np.log2(n) + (trust * true - total).mean(-1) / np.log(2)
    of_context = told.mean(-1)  # [trust, contexts]
    best = (of_context.sum(1, keepdims=True) - of_context).argmax(0)  # in the other contexts
    return told[best, np.arange(contexts)].mean(0)


def _raised(score: np.ndarray) -> list[np.ndarray]:
    """Return the likelihoods to the powers of `TRUST`, all but the least by squaring."""
    halves = [np.exp(TRUST[-2] * score)]
    for _ in TRUST[:-2]:
        halves.insert(0, np.square(halves[0]))
    return [*halves, np.exp(TRUST[-1] * score)]


def _corrected(of_each: np.ndarray, seen: np.ndarray) -> Information:
    """Take off what shuffles have, of the bits [1 + shuffles, components, codebooks] of each component."""
    observed, null = of_each[0].mean(0), of_each[1:].mean(1)  # [codebooks], [shuffles, codebooks]
    chance = null.mean(0)
    # a tie but for rounding is a tie
    p = np.array([permutation_p(o, of + 1e-6) for o, of in zip(observed, null.T, strict=True)])
    return Information(np.where(seen >= FEWEST_SEEN, of_each[0] - chance, np.nan), chance, p, seen)


def corrected_information(choices: np.ndarray, seed: int) -> float:
    """Mutual information, bit, of what was added and what it was taken for.

    Parameters
    ----------
    choices : int [sounds, N, draws]
        Which of N components each was taken for.
    seed : int

    Notes
    -----
    Counts overstate it, by as much as where choices are dealt to the components anew within every sound:
    with I of the counts, I0 of those, and H = log2 N it is ``H (I - I0) / (H - I0)``, from 0 to H. Source
    of the bias: Panzeri & Treves, Network 7:87, 1996.

    Examples
    --------
    >>> round(corrected_information(np.tile(np.arange(8)[:, None], (6, 1, 4)), seed=0), 6)
    3.0
    """
    most = np.log2(choices.shape[1])
    generator = np.random.default_rng([seed, 37])
    dealt = [mutual_information(generator.permuted(choices, axis=1)) for _ in range(DEALT)]
    chance = float(np.mean(dealt))
    return float(most * (mutual_information(choices) - chance) / max(most - chance, 1e-9))


def mutual_information(choices: np.ndarray) -> float:
    """Mutual information, bit, of the counts of choices [sounds, N, draws] as they are.

    scikit-learn's `mutual_info_score` is the reference of a test.

    Examples
    --------
    >>> mutual_information(np.tile(np.arange(8)[:, None], (6, 1, 4)))
    3.0
    """
    n = choices.shape[1]
    cell = np.arange(n)[None, :, None] * n + choices
    joint = np.bincount(cell.ravel(), minlength=n * n).reshape(n, n) / choices.size
    independent = np.outer(joint.sum(1), joint.sum(0))
    there = joint > 0
    return float((joint[there] * np.log2(joint[there] / independent[there])).sum())
