"""Linear readouts: what a ridge regression predicts of groups that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...synth.errors import InputError

PENALTIES = np.logspace(-12, 3, 16)  # re the mean eigenvalue; from float32's rounding to "nothing is known"
FOLDS = 4
SMALLEST = 1e-200  # scale of a penalty: features that are all alike are no division by zero


def held_out_predictions(
    features: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray,
    *,
    seed: int = 0,
    folds: int = FOLDS,
    together: int = 1,
) -> np.ndarray:
    """Predict every row by a ridge regression fitted to other groups.

    Groups are never split: rows that share what is to be predicted (a draw, a root, an instrument)
    would tell of one another. Each fold of groups is predicted once. Of the other groups a quarter
    chooses the penalty, for each `together` targets; then the regression is fitted to all of them.

    Parameters
    ----------
    features : float [n, D]
    targets : float [n, T]
    groups : int [n]
        Rows with the same number stay together.
    seed : int
        Of the order in which groups are dealt out.
    folds : int >= 2
    together : int > 0
        As in `chosen_ridge`.

    Returns
    -------
    predictions : float64 [n, T]

    Raises
    ------
    InputError
        If there are fewer groups than `folds`, or fewer than 3.

    Notes
    -----
    The dual form is solved, in float64: features may be many more than rows. Source: Hastie, Tibshirani
    and Friedman, The Elements of Statistical Learning, 2009, sections 3.4.1, 7.10 and 18.3.5.
    scikit-learn's `GroupKFold` deals groups out in the same way but in another random order (R^2 of 20 groups
    0.67 to 0.70 with five of its seeds); it is the reference of a test, as is its `Ridge`.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((60, 3))
    >>> y = x @ np.array([[1.0], [-2.0], [0.5]])
    >>> bool(np.allclose(held_out_predictions(x, y, np.arange(60) // 5), y, atol=1e-6))
    True
    """
    numbers = np.unique(groups)
    if not 2 <= folds <= len(numbers) or len(numbers) < 3:
        raise InputError(f"readout: {len(numbers)} groups of rows cannot be dealt out to {folds} folds")
    kernel = gram(features)
    dealt = np.array_split(np.random.default_rng(seed).permutation(numbers), folds)
    predictions = np.empty(targets.shape)
    for i, held_out in enumerate(dealt):
        others = np.concatenate([part for j, part in enumerate(dealt) if j != i])
        choosing = np.isin(groups, others[: max(1, len(others) // 4)])
        test = np.isin(groups, held_out)
        predictions[test] = chosen_ridge(kernel, targets, ~test, choosing, test, together)
    return predictions


def chosen_ridge(
    kernel: np.ndarray,
    targets: np.ndarray,
    fit: np.ndarray,
    choosing: np.ndarray,
    other: np.ndarray,
    together: int = 1,
) -> np.ndarray:
    """Fit a ridge regression to some rows and predict others: float64 [other.sum(), T].

    Parameters
    ----------
    kernel, targets, fit, other
        As in `ridge`.
    choosing : bool [n]
        Of the fitted rows those that choose the penalty first.
    together : int > 0
        So many neighbouring targets share a penalty: the fewer positive examples a target has, the less
        it can choose by itself.
    """
    tried = ridge(kernel, targets, fit & ~choosing, choosing, PENALTIES)  # [penalties, m, T]
    missed = np.square(tried - targets[choosing]).sum(1).reshape(len(PENALTIES), -1, together).sum(-1)
    best = np.repeat(PENALTIES[missed.argmin(0)], together)  # [T]
    return ridge(kernel, targets, fit, other, best[None])[0]


def gram(features: np.ndarray) -> np.ndarray:
    """Inner products of all rows, float64 [n, n], after the mean of all rows is taken off.

    The mean is taken off again within each fit; doing it here as well keeps digits.
    """
    centred = features.astype(np.float64)
    centred -= centred.mean(0)
    return centred @ centred.T


def ridge(
    kernel: np.ndarray, targets: np.ndarray, fit: np.ndarray, other: np.ndarray, penalties: np.ndarray
) -> np.ndarray:
    """Fit a ridge regression to some rows for each of several penalties, and predict others.

    Parameters
    ----------
    kernel : float64 [n, n]
        Inner products of the rows' features.
    targets : float64 [n, T]
    fit, other : bool [n]
        Rows to fit to; rows to predict.
    penalties : float > 0 [k] or [k, T]
        For all targets alike, or one each. Re the mean eigenvalue of the fitted rows' centred kernel.

    Returns
    -------
    predictions : float64 [k, other.sum(), T]
        The intercept is not penalised.
    """
    within, across = kernel[np.ix_(fit, fit)], kernel[np.ix_(other, fit)]
    column = within.mean(0)
    across = across - column - across.mean(1, keepdims=True) + column.mean()
    within = within - column - column[:, None] + column.mean()
    mean = targets[fit].mean(0)
    eigenvalues, vectors = np.linalg.eigh(within)
    scale = max(eigenvalues.mean(), SMALLEST)
    rounding = eigenvalues <= len(within) * np.finfo(float).eps * eigenvalues.max()  # no direction at all
    rotated = np.where(rounding[:, None], 0.0, vectors.T @ (targets[fit] - mean))
    towards = across @ vectors
    gain = eigenvalues.clip(0)[:, None]
    return np.stack([mean + towards @ (rotated / (gain + np.atleast_1d(p) * scale)) for p in penalties])


def area_under_curve(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Chance that a row of one class scores higher than a row of the other, ties counted as half (AUC).

    Parameters
    ----------
    scores : float [n, ...]
    labels : bool [n, ...]
        Broadcast against `scores`.

    Returns
    -------
    area : float64 [...]
        1 where every true row is above every false one, 0 where it is below, 0.5 by guessing; it does
        not depend on how many there are of each. NaN where there is but one class.

    Notes
    -----
    The Mann-Whitney statistic: Hanley & McNeil, Radiology 143:29-36, 1982. `sklearn.metrics.roc_auc_score`
    takes one column at a time, in 120 times the time or more, and differs in the last digit; it is the
    reference of a test.

    Examples
    --------
    >>> float(area_under_curve(np.array([0.1, 0.4, 0.4, 0.9]), np.array([False, True, False, True])))
    0.875
    """
    if scores.ndim == labels.ndim == 1:  # in a fortieth of the time, to the last digit the same
        there, others = scores[labels], np.sort(scores[~labels])
        above = (np.searchsorted(others, there, "left") + np.searchsorted(others, there, "right")).sum() / 2
        return np.asarray(above / (len(there) * len(others)) if len(there) and len(others) else np.nan)
    from scipy.stats import rankdata

    ranks = rankdata(scores, axis=0)
    positive = labels.sum(0)
    negative = len(labels) - positive
    above = (ranks * labels).sum(0) - positive * (positive + 1) / 2
    pairs = positive * negative
    return np.where(pairs > 0, above / np.maximum(pairs, 1), np.nan)


@dataclass(frozen=True)
class LinearReadout:
    """A readout ``features @ weights + intercept``, with the penalty that it was fitted with."""

    weights: np.ndarray  # [D, T]
    intercept: np.ndarray  # [T]
    penalty: float

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Return what it reads of features [n, D]: [n, T]."""
        return features @ self.weights + self.intercept


def leave_one_out_readout(
    features: np.ndarray, targets: np.ndarray, penalties: np.ndarray, together: int = 1
) -> LinearReadout:
    """Fit a ridge regression whose one penalty has the least exact leave-one-out error over all targets.

    Parameters
    ----------
    features : float [n, D]
        In single precision it is kept where D is at least n, which serves penalties that are not below a
        hundred-thousandth of the features' energy.
    targets : float [n, T]
    penalties : float > 0 [k]
        Tried, in units of squared features.
    together : int
        So many neighbouring rows are of one sound, and are left out together.

    Returns
    -------
    readout : LinearReadout
        The intercept is not penalised.

    Notes
    -----
    The residuals r of rows that were left out are ``(1 - H)^-1 r``, H being their block of the hat matrix:
    Golub, Heath & Wahba, Technometrics 21:215, 1979, for one row. scikit-learn's `RidgeCV` is the reference
    of a test; it leaves out single rows, and is kept for tests alone.

    Examples
    --------
    >>> x = np.random.default_rng(0).standard_normal((50, 3))
    >>> found = leave_one_out_readout(x, x @ np.array([[1.0], [-2.0], [0.5]]) + 4.0, np.logspace(-6, 2, 9))
    >>> found.weights[:, 0].round(3).tolist(), found.penalty
    ([1.0, -2.0, 0.5], 1e-06)
    """
    if features.shape[1] < len(features):
        features = features.astype(float)
    middle, mean = features.mean(0), targets.mean(0)
    centred, wanted = features - middle, (targets - mean).astype(features.dtype)
    energy, directions = _directions(centred)  # [r], [n, r]
    rotated = directions.T @ wanted
    blocks = directions.reshape(-1, together, len(energy))
    errors = []
    for penalty in penalties:
        kept = energy / (energy + penalty)
        hat = (blocks * kept) @ blocks.swapaxes(1, 2) + 1 / len(
            features
        )  # [n / together, together, together]
        residual = (wanted - directions @ (kept[:, None] * rotated)).reshape(*blocks.shape[:2], -1)
        errors.append(np.square(np.linalg.solve(np.eye(together) - hat, residual)).mean())
    penalty = float(penalties[int(np.argmin(errors))])
    weights = centred.T @ (directions @ (rotated / (energy + penalty)[:, None])).astype(features.dtype)
    return LinearReadout(weights, mean - middle @ weights, penalty)


def _directions(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return squared singular values of [n, D] and left singular vectors [n, r]."""
    n, size = features.shape
    if size >= n:
        energy, directions = np.linalg.eigh(features @ features.T)
        return energy.clip(0), directions
    energy, right = np.linalg.eigh(features.T @ features)
    there = energy > n * np.finfo(float).eps * energy[-1]
    return energy[there], features @ right[:, there] / np.sqrt(energy[there])
