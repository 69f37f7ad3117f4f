"""Terms of a polynomial in many variables, their number and their values.

Combs et al. (2019), Eq. 7-8: all powers of each variable up to the degree and, with interactions, all products.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from math import comb

import numpy as np

from napari_atomseg.imaging.correction.symmetry import Group

Monomial = tuple[int, ...]
"""Indices of the variables that are multiplied, in rising order; a power repeats its index, the constant has none."""


def number_of_terms(*, side: int, degree: int, log: bool, interactions: bool) -> int:
    """Terms of the paper's polynomial, with the constant.

    Parameters
    ----------
    side : int, px
        Of the square of pixels whose intensities are variables.
    degree : int
        Highest degree of a term.
    log : bool
        One variable more: the logarithm of the intensity of the central pixel.
    interactions : bool
        With products of different variables; without them only the powers of each.

    Returns
    -------
    int

    Examples
    --------
    >>> number_of_terms(side=5, degree=2, log=True, interactions=True)
    378
    """
    variables = side * side + log
    return comb(variables + degree, degree) if interactions else 1 + degree * variables


def monomials(variables: int, degree: int, interactions: bool) -> tuple[Monomial, ...]:
    """Terms in order of rising degree, the constant first.

    Parameters
    ----------
    variables : int
        Number of variables V; terms name them 0 to V - 1.
    degree : int
        Highest degree of a term.
    interactions : bool
        With products of different variables; without them only the powers of each.

    Returns
    -------
    tuple of Monomial
        C(V + degree, degree) terms with interactions, 1 + degree V without.
    """
    found: list[Monomial] = [()]
    for power in range(1, degree + 1):
        if interactions:
            found.extend(combinations_with_replacement(range(variables), power))
        else:
            found.extend((one,) * power for one in range(variables))
    return tuple(found)


def evaluate(values: np.ndarray, terms: tuple[Monomial, ...]) -> np.ndarray:
    """Values of monomials.

    Parameters
    ----------
    values : ndarray, shape (N, V)
        Variables of N pixels.
    terms : tuple of monomials

    Returns
    -------
    ndarray, shape (N, T)

    Notes
    -----
    A monomial is the one without its last variable times that variable, wherever that one is a term as well.
    """
    columns = np.ascontiguousarray(values.T)
    design = np.empty((len(terms), columns.shape[1]))
    place = {term: index for index, term in enumerate(terms)}
    for index, term in enumerate(terms):
        if not term:
            design[index] = 1
        elif len(term) == 1:
            design[index] = columns[term[0]]
        else:
            np.multiply(design[place[term[:-1]]], columns[term[-1]], out=design[index])
    return design.T


def number_of_symmetric_terms(groups: Sequence[Group]) -> int:
    """Terms of :func:`symmetric_terms`, with the constant."""
    return 1 + sum(one.products * len(one.rows) * (len(one.rows) + 1) // 2 + one.linear * len(one.rows) for one in groups)


def symmetric_terms(responses: np.ndarray, groups: Sequence[Group]) -> np.ndarray:
    """The constant, the linear terms, and the products within each group, summed over partners.

    Parameters
    ----------
    responses : ndarray, shape (N, R)
    groups : sequence of Group

    Returns
    -------
    ndarray, shape (N, T)
    """
    values = np.ascontiguousarray(responses.T)
    design = np.empty((number_of_symmetric_terms(groups), values.shape[1]))
    design[0] = 1
    filled = 1
    for group in groups:
        if group.linear:
            design[filled : filled + len(group.rows)] = values[list(group.rows)]
            filled += len(group.rows)
    for group in groups:
        if not group.products:
            continue
        first, second = np.triu_indices(len(group.rows))
        rows = np.array(group.rows)
        block = design[filled : filled + len(first)]
        np.multiply(values[rows[first]], values[rows[second]], out=block)
        if group.partners:
            partners = np.array(group.partners)
            block += values[partners[first]] * values[partners[second]]
        filled += len(first)
    return design.T


def quadratic_forms(coefficients: np.ndarray, groups: Sequence[Group]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Coefficients of :func:`symmetric_terms` as linear ones, and one symmetric matrix for each group.

    Parameters
    ----------
    coefficients : ndarray
        The constant first, then L linear ones, then the upper triangle of each group, row by row.
    groups : sequence of Group
        Those that are linear have linear coefficients too.

    Returns
    -------
    linear : ndarray, shape (L,)
    matrices : list of ndarray, shape (R, R)
        R is the number of rows of the group. Coefficients of products are halved, for they stand on both sides of the diagonal.
    """
    linear = sum(len(group.rows) for group in groups if group.linear)
    filled = 1 + linear
    matrices = []
    for group in groups:
        matrix = np.zeros((len(group.rows), len(group.rows)))
        if not group.products:
            matrices.append(matrix)
            continue
        upper = np.triu_indices(len(group.rows))
        matrix[upper] = coefficients[filled : filled + len(upper[0])]
        filled += len(upper[0])
        matrices.append((matrix + matrix.T) / 2)
    return coefficients[1 : 1 + linear], matrices
