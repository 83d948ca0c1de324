"""The values of "From Physics to Silicon" (2026) that experiments are compared with; each table names its source there."""

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
STARTS: tuple[tuple[float, float], ...] = (
    (1.7281723, 1.99777603), (-1.23404121, -1.27199554), (-0.27247858, -1.26818848), (0.44269323, -0.12254047),
    (0.00833321, 0.70109224), (-0.16745806, 0.01750565), (-1.83330917, -1.49347639), (-0.64870787, 0.74094582),
    (1.21248484, 1.99650383), (0.91406488, -1.380229), (0.21861839, -0.19358253), (-0.054986, -1.23031855),
    (-1.35916996, 1.93325853), (-0.32870483, -0.71576214), (-1.83585548, -0.74156094), (0.2390542, 0.67919159),
    (1.06981039, 0.90583134), (1.15211344, 1.9017539), (0.60009861, 1.99987888), (1.43225956, -1.51413012),
    (1.19415236, -1.73480988), (-1.6089716, -1.24888611), (-0.06492949, 0.01910686), (-0.25384092, 1.28870678),
    (1.96027565, 0.23851204), (-0.8751545, 1.29612684), (1.90613461, 1.29504919), (-0.03585482, 1.0435276),
    (-0.43955994, 0.89446545), (0.9843688, 0.99423838), (0.62168503, -1.00689173), (-0.32750082, 1.50563049),
    (0.17991018, -0.26594448), (-0.74403811, 0.43954802), (-1.66349983, 1.45151472), (0.1899972, 1.91608572),
    (-1.54846239, 1.18077898), (1.37867308, -0.57476854), (-1.85898495, 0.84131908), (1.15830469, 1.18747473),
    (1.2376852, -0.25818062), (0.69803143, -1.82883644), (-1.81844807, -1.37558603), (0.64246798, 0.63535213),
    (1.61392307, 0.14624214), (-0.07439137, -1.01216269), (0.13121414, -1.52254057), (1.19650936, -0.9753561),
    (-1.66069698, -1.12258434), (-0.7384038, 0.70011139), (1.29738808, -0.15851307), (-0.99989939, -0.42858696),
    (-0.89751768, 1.44254684), (0.85661983, 1.0118041), (-0.17881203, -1.07550144), (-1.23155117, 0.05692482),
    (1.38399601, -1.88914919), (1.87844467, 1.15023899), (0.7458415, 1.49170494), (-0.65564775, -1.2159214),
    (1.03353977, -0.13167095), (-0.71490955, 0.53681946), (-0.74234962, 0.59317827), (0.3792901, 0.3836503),
    (0.21411467, 1.23260832), (0.45798254, 0.77910948), (-0.40873909, -0.36721945), (0.09491968, -1.07993555),
    (-1.10757828, -0.05486012), (0.54900694, -0.71938133), (0.34886122, -0.3198452), (-1.74669409, 1.87497759),
    (-1.62858105, -0.67574978), (-0.61210012, 1.06796551), (1.13278866, -0.68149185), (0.00264692, 0.20010757),
    (1.53467226, 1.64927197), (-0.66882849, -0.83335304), (-0.43193245, -0.18612623), (1.16719007, 1.12355089),
    (-0.03002977, 1.92437792), (0.45928526, -1.51258564), (0.80741119, 1.78269577), (-1.87572956, 1.28298187),
    (0.03568602, 0.48812723), (0.47027874, -1.42450428), (1.47411537, 1.1196084), (0.41881657, -0.25139999),
    (1.64285421, -0.94841623), (-1.9575963, 1.71807766), (-1.64540482, -0.13378954), (-0.94739246, -0.89536333),
    (-1.13083076, -1.56083107), (0.81309271, 0.04100323), (-0.55105257, 1.57541561), (0.19140625, -0.68848324),
    (1.29631519, -0.4259901), (-1.19724178, 1.8003726), (-0.54186487, -0.86722279), (1.41967916, 0.31481123),
)  # fmt: skip
"""attractor_initial_conditions: [u, u'] of 100 orbits, drawn uniformly from [-2, 2] in each component."""
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
    values: dict[Key, float] = {}
    for switch, (plain, with_omega, improvement) in _MDL.items():
        case = switch_name(*switch)
        values["ltc", case, "no Omega", "mse after"] = plain
        values["ltc", case, "static, adaptive", "mse after"] = with_omega
        values["ltc", case, "static, adaptive", "improvement"] = improvement
    return values


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
