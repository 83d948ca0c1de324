"""States the damped oscillator in closed form, so that data, and what a model makes of them, have an exact answer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def oscillator(times: Floats, zeta: float, start: tuple[float, float] = (1.0, 0.0)) -> Floats:
    """The closed form of u'' + 2 zeta u' + u = 0 from [u, u'] = ``start`` at time 0, for any damping ratio ``zeta``.

    With d = sqrt(zeta^2 - 1), imaginary below critical damping, and S = sinh(d t) / d:
    u = exp(-zeta t) (u0 cosh(d t) + (zeta u0 + v0) S) and u' = exp(-zeta t) (v0 cosh(d t) - (u0 + zeta v0) S). The
    natural frequency is 1, so ``times`` (T,) are in units of its inverse.

    Returns:
        [u, u'], float64, (T, 2).

    """
    u, v = start
    phase = np.emath.sqrt(zeta**2 - 1) * times
    decay, sinh_over_d = np.exp(-zeta * times), times * np.sinc(1j * phase / np.pi)  # sinc: right at d = 0 as well
    position = u * np.cosh(phase) + (zeta * u + v) * sinh_over_d
    velocity = v * np.cosh(phase) - (u + zeta * v) * sinh_over_d
    return np.real(np.stack([decay * position, decay * velocity], axis=1))
