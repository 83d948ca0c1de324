"""The figures of "From Physics to Silicon" (2026) that experiments are held against, in tables; each names its table there."""

from __future__ import annotations

from ltc_ir.lab.data import SWITCHES, ZETAS, switch_name

MODELS = ("ltc", "node", "ctrnn")
"""The order of the columns below."""

_BASE = {
    0.1: (1.97029397e-01, 1.47911060e00, 1.78549305e-01),
    0.3: (5.68664595e-02, 9.68081504e-02, 3.32341157e-02),
    0.5: (2.25487165e-02, 7.86846876e-02, 5.30928336e-02),
    0.8: (4.43954915e-02, 4.15021218e-02, 9.81895924e-02),
    1.2: (8.79604742e-02, 2.36819051e-02, 5.62333763e-02),
}
"""mse_comparison: the error on a model's own test split, by damping ratio."""
_TRANSFER = {
    0.1: (1.54834941e-01, 1.74763128e-01, 1.62406579e-01),
    0.3: (9.12251249e-02, 4.11253572e-01, 9.88568217e-02),
    0.5: (8.42345804e-02, 3.93240780e-01, 7.67591000e-02),
    0.8: (7.65076280e-02, 3.95222992e-01, 6.10279068e-02),
    1.2: (7.24729449e-02, 4.05657083e-01, 7.60165155e-02),
}
"""generalization_avg: the mean over the other training ratios, by the ratio tested on."""
_EXTRAPOLATION = {
    0.1: (1.58994734e-01, 1.42617249e00, 1.25691831e-01),
    0.3: (6.59600124e-02, 9.05565619e-02, 3.59058119e-02),
    0.5: (2.47282293e-02, 7.10760355e-02, 5.19482866e-02),
    0.8: (4.02088054e-02, 3.48232165e-02, 9.05201361e-02),
}
"""generalization_to_1p2: the error on 1.2, by the ratio trained on."""
_NOISE = {
    0.1: ((1.0047, 1.0054, 1.0028), (0.9991, 1.0072, 1.0031), (1.0253, 1.0226, 1.0098), (0.9317, 0.9343, 0.9709)),
    0.3: ((0.9933, 0.9971, 0.9992), (0.9970, 1.0059, 1.0007), (1.0065, 1.0384, 1.0051), (1.0322, 1.0681, 1.0083)),
    0.5: ((1.0001, 1.0003, 0.9985), (1.0019, 1.0342, 1.0214), (1.0014, 1.0068, 1.0130), (1.0061, 1.0717, 1.0553)),
    0.8: ((1.0001, 1.0000, 1.0002), (1.0132, 1.0096, 1.0006), (1.0185, 1.0329, 1.0515), (1.0534, 1.0555, 0.9913)),
    1.2: ((1.0047, 1.0006, 1.0049), (0.9697, 0.9886, 0.9780), (1.0018, 0.9926, 1.0156), (1.0923, 1.0159, 1.1101)),
}
"""noise_injection: the ratio of the noisy to the clean error, by ratio, then by sigma 0.01, 0.05, 0.1, 0.2."""
_SWITCH = {
    (0.1, 1.2): (
        (0.16657686, 0.2433981, 0.092768215, 0), (1.4693055, 0.65683573, 2.2499132, 51),
        (0.14893366, 0.23745453, 0.06388421, 51),
    ),
    (1.2, 0.1): (
        (0.088248014, 0.08791212, 0.08857071, 51), (0.023591971, 0.045041624, 0.0029834693, 0),
        (0.056380186, 0.06848562, 0.044749483, 51),
    ),
    (0.3, 0.8): (
        (0.05629511, 0.09553429, 0.018594747, 51), (0.09553691, 0.11431044, 0.07749957, 51),
        (0.03294753, 0.064739786, 0.0024020236, 0),
    ),
    (0.8, 0.3): (
        (0.044278875, 0.0644884, 0.02486186, 51), (0.041320663, 0.06379884, 0.019723972, 0),
        (0.09812011, 0.104671374, 0.09182574, 51),
    ),
}  # fmt: skip
"""regime_switch: overall, before, after and the steps until recovery, by switch and model."""
_MDL = {
    (0.1, 1.2): (0.092768215, 0.03785475, 59.194267),
    (1.2, 0.1): (0.08857071, 0.040849596, 53.879112),
    (0.3, 0.8): (0.018594747, 0.030711181, -65.16052),
    (0.8, 0.3): (0.02486186, 0.00028361456, 98.85924),
}
"""regime_switch_mdl: the error after the switch without and with Omega (adaptive lambda), and the improvement in percent."""
TAU_CASES = (0.1, 0.5, 1.2)
"""The damping ratios whose time constants the text reports."""
_TAU = {0.1: (0.736, 0.740), 0.5: (0.727, 0.730), 1.2: (0.690, 0.693)}
"""The text, "How tau adapts": the mean time constant at the switch and at the end, by training ratio."""
_ATTRACTOR = {
    "ltc": (1.14418852, 1.11065674, 0.53603500, 0.09671105, 2.33085203, 2.25587511, 0.06426748),
    "node": (1.17475879, 1.14089668, 0.54870015, 0.09214863, 2.40750527, 1.88005853, 0.05119802),
    "ctrnn": (1.16047490, 1.12395597, 0.54567790, 0.10287161, 2.33269668, 2.16885948, 0.06427596),
}
"""attractor_hausdorff_summary: `ATTRACTOR_METRICS` by model."""
SIGMAS = (0.01, 0.05, 0.1, 0.2)
"""Standard deviations of the noise on the first observation."""
SWITCH_METRICS = ("mse overall", "mse before", "mse after", "recovery points")
ATTRACTOR_METRICS = (
    "hausdorff mean", "hausdorff median", "hausdorff std", "hausdorff least", "hausdorff most", "hausdorff of all points",
    "mse",
)  # fmt: skip

Key = tuple[str, str, str, str]
"""Model, case, variant, metric."""


def _by_model(table: dict[float, tuple[float, float, float]], case: str) -> dict[Key, float]:
    return {
        (model, case.format(f"{zeta:g}"), "", "mse"): value
        for zeta, values in table.items()
        for model, value in zip(MODELS, values, strict=True)
    }


def _switch() -> dict[Key, float]:
    return {
        (model, switch_name(*switch), "", metric): value
        for switch in SWITCHES
        for model, values in zip(MODELS, _SWITCH[switch], strict=True)
        for metric, value in zip(SWITCH_METRICS, values, strict=True)
    }


def _noise() -> dict[Key, float]:
    return {
        (model, f"{zeta:g}", f"sigma {sigma:g}", "ratio"): value
        for zeta in ZETAS
        for sigma, values in zip(SIGMAS, _NOISE[zeta], strict=True)
        for model, value in zip(MODELS, values, strict=True)
    }


def _mdl() -> dict[Key, float]:
    """The published pairs; the rule adaptive, Omega of tau0 alone."""
    found: dict[Key, float] = {}
    for switch, (plain, with_omega, improvement) in _MDL.items():
        case = switch_name(*switch)
        found["ltc", case, "no Omega", "mse after"] = plain
        found["ltc", case, "static, adaptive", "mse after"] = with_omega
        found["ltc", case, "static, adaptive", "improvement"] = improvement
    return found


def _tau() -> dict[Key, float]:
    return {
        ("ltc", f"{zeta:g}", "", metric): value
        for zeta, values in _TAU.items()
        for metric, value in zip(("tau at the switch", "tau at the end"), values, strict=True)
    }


def _attractor() -> dict[Key, float]:
    return {
        (model, "0.3", "", metric): value
        for model, values in _ATTRACTOR.items()
        for metric, value in zip(ATTRACTOR_METRICS, values, strict=True)
    }


PUBLISHED: dict[str, dict[Key, float]] = {
    "base": _by_model(_BASE, "{}"),
    "transfer": _by_model(_TRANSFER, "others on {}"),
    "extrapolation": _by_model(_EXTRAPOLATION, "{} on 1.2"),
    "noise": _noise(),
    "switch": _switch(),
    "tau": _tau(),
    "mdl": _mdl(),
    "attractor": _attractor(),
}
"""What was published for each experiment, with its two-pass rollout and its selection on the test split."""
