"""The usual flop counts of factorizations, solves and Fourier transforms, each named with its source.

| operation | flops for each matrix of the batch | source |
|---|---|---|
| ``cholesky`` | n³/3 | LAWN 41 (``POTRF``) |
| ``lu`` of m×n | M k² - k³/3 with k the smaller side and M the larger one; 2n³/3 for n×n | LAWN 41 (``GETRF``) |
| ``triangular_solve`` | n² for each right-hand side | LAWN 41 (``TRSM``) |
| ``geqrf``, ``geqp3`` of m×n | 2 M k² - 2k³/3 | LAWN 41 (``GEQRF``) |
| ``householder_product`` of k reflectors | 4mnk - 2(m+n)k² + 4k³/3 | LAWN 41 (``ORGQR``) |
| ``ormqr`` with k reflectors | 4mnk - 2nk² from the left, 4mnk - 2mk² from the right | LAWN 41 (``ORMQR``) |
| ``qr`` | that of ``geqrf``; where Q is used, that of ``householder_product`` too | |
| ``hessenberg`` | 10n³/3 | LAWN 41 (``GEHRD``) |
| ``tridiagonal`` | 4n³/3 | LAWN 41 (``SYTRD``) |
| ``tridiagonal_solve`` | 3(n-1), and 5n-4 for each right-hand side | LAWN 41 (``GTSV``) |
| ``symmetric_product`` of n×k | n(n+1)k | LAWN 41 (``SYRK``) |
| ``eigh`` | 9n³; 4n³/3 where the vectors are not used | Golub and Van Loan, 8.3 |
| ``svd`` of m×n, m >= n | 4mn² - 4n³/3; thin U and V 14mn² + 8n³, whole ones 4m²n + 8mn² + 9n³ | Golub and Van Loan, 8.6 |
| ``schur`` | 25n³; 10n³ without vectors | Golub and Van Loan, 7.5 |
| ``eig`` | 10n³; with right vectors 26 1/3 n³ | LAPACK Users' Guide, operation counts of drivers (``GEEV``) |
| ``fft`` of N points | 5 N log2 N; half of that where one side is real | FFTW, benchFFT methodology |

LAWN 41: Blackford and Dongarra, Installation Guide for LAPACK, LAPACK Working Note 41: the leading terms of its operation
counts. Golub and Van Loan: Matrix Computations. ``eigh``, ``svd``, ``schur`` and ``eig`` iterate until they converge: their
figures are estimates, of the kind ``iterative``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple


class Signature(NamedTuple):
    """An equation as formulas see it: its parameters, the types of its operands and results, and which results are used."""

    params: Mapping[str, Any]
    inputs: Sequence[Any]
    outputs: Sequence[Any]
    used: Sequence[bool]


Formula = Callable[[Signature], int | None]
"""The figure of an equation from its signature; ``None`` where these parameters have no formula."""


def _matrix(aval: Any) -> tuple[int, int, int]:
    """The number of matrices in an array, and their rows and columns."""
    *batch, rows, columns = (int(size) for size in aval.shape)
    return math.prod(batch), rows, columns


def _cholesky(eqn: Signature) -> int:
    batch, n, _ = _matrix(eqn.inputs[0])
    return batch * n**3 // 3


def _lu(eqn: Signature) -> int:
    batch, rows, columns = _matrix(eqn.inputs[0])
    small, large = sorted((rows, columns))
    return batch * (3 * large * small**2 - small**3) // 3


def _triangular_solve(eqn: Signature) -> int:
    batch, rows, columns = _matrix(eqn.inputs[1])
    n, sides = (rows, columns) if eqn.params["left_side"] else (columns, rows)
    return batch * n**2 * sides


def _geqrf(eqn: Signature) -> int:
    batch, rows, columns = _matrix(eqn.inputs[0])
    small, large = sorted((rows, columns))
    return batch * (6 * large * small**2 - 2 * small**3) // 3


def _reflectors_product(rows: int, columns: int, count: int) -> int:
    """Three times the flops of a product of reflectors written as a matrix."""
    return 12 * rows * columns * count - 6 * (rows + columns) * count**2 + 4 * count**3


def _householder_product(eqn: Signature) -> int:
    batch, rows, columns = _matrix(eqn.inputs[0])
    return batch * _reflectors_product(rows, columns, int(eqn.inputs[1].shape[-1])) // 3


def _ormqr(eqn: Signature) -> int:
    batch, rows, columns = _matrix(eqn.inputs[2])
    count = int(eqn.inputs[1].shape[-1])
    other = columns if eqn.params["left"] else rows
    return batch * (4 * rows * columns * count - 2 * other * count**2)


def _qr(eqn: Signature) -> int:
    if not eqn.used[0]:
        return _geqrf(eqn)
    batch, rows, columns = _matrix(eqn.outputs[0])
    count = min(_matrix(eqn.inputs[0])[1:])
    return _geqrf(eqn) + batch * _reflectors_product(rows, columns, count) // 3


def _hessenberg(eqn: Signature) -> int:
    batch, n, _ = _matrix(eqn.inputs[0])
    return 10 * batch * n**3 // 3


def _tridiagonal(eqn: Signature) -> int:
    batch, n, _ = _matrix(eqn.inputs[0])
    return 4 * batch * n**3 // 3


def _tridiagonal_solve(eqn: Signature) -> int:
    batch, n, sides = _matrix(eqn.inputs[3])
    return batch * (3 * (n - 1) + sides * (5 * n - 4)) if n else 0


def _symmetric_product(eqn: Signature) -> int:
    batch, n, k = _matrix(eqn.inputs[0])
    return batch * n * (n + 1) * k


def _eigh(eqn: Signature) -> int:
    batch, n, _ = _matrix(eqn.inputs[0])
    return (27 if eqn.used[0] else 4) * batch * n**3 // 3


def _svd(eqn: Signature) -> int:
    batch, rows, columns = _matrix(eqn.inputs[0])
    n, m = sorted((rows, columns))
    if not eqn.params["compute_uv"] or not any(eqn.used[1:]):
        return batch * (12 * m * n**2 - 4 * n**3) // 3
    if eqn.params["full_matrices"]:
        return batch * (4 * m**2 * n + 8 * m * n**2 + 9 * n**3)
    return batch * (14 * m * n**2 + 8 * n**3)


def _schur(eqn: Signature) -> int:
    batch, n, _ = _matrix(eqn.inputs[0])
    return (25 if eqn.params["compute_schur_vectors"] and any(eqn.used[1:]) else 10) * batch * n**3


def _eig(eqn: Signature) -> int | None:
    if eqn.params["compute_left_eigenvectors"]:
        return None
    batch, n, _ = _matrix(eqn.inputs[0])
    return (79 if eqn.params["compute_right_eigenvectors"] else 30) * batch * n**3 // 3


def _fft(eqn: Signature) -> int:
    sides = (eqn.inputs[0], eqn.outputs[0])
    points = math.prod(int(length) for length in eqn.params["fft_lengths"])
    real = [aval for aval in sides if aval.dtype.kind != "c"]
    size = math.prod(int(length) for length in (real or sides)[0].shape)
    return round((2.5 if real else 5) * size * math.log2(points)) if points else 0


DIRECT, ITERATIVE, FOURIER = "factorizations", "iterative", "fft"
FORMULAS: Mapping[str, tuple[str, Formula]] = {
    "cholesky": (DIRECT, _cholesky),
    "lu": (DIRECT, _lu),
    "triangular_solve": (DIRECT, _triangular_solve),
    "geqrf": (DIRECT, _geqrf),
    "geqp3": (DIRECT, _geqrf),
    "householder_product": (DIRECT, _householder_product),
    "ormqr": (DIRECT, _ormqr),
    "qr": (DIRECT, _qr),
    "hessenberg": (DIRECT, _hessenberg),
    "tridiagonal": (DIRECT, _tridiagonal),
    "tridiagonal_solve": (DIRECT, _tridiagonal_solve),
    "symmetric_product": (DIRECT, _symmetric_product),
    "eigh": (ITERATIVE, _eigh),
    "svd": (ITERATIVE, _svd),
    "schur": (ITERATIVE, _schur),
    "eig": (ITERATIVE, _eig),
    "fft": (FOURIER, _fft),
}
