"""The built-in targets: strings, resolved by the very loader that serves a user's ``module:name``."""

BUILTIN = {
    "ltc": "ltc_ir.lab.models.ltc:TARGET",
    "ctrnn": "ltc_ir.lab.models.ctrnn:TARGET",
    "node": "ltc_ir.lab.models.node:TARGET",
}
"""Built-in target names and where each lives."""

ABOUT = {
    "ltc": "Liquid Time-Constant network, the published program (184 parameters)",
    "ctrnn": "continuous-time RNN with a learned time constant per neuron (96 parameters)",
    "node": "Neural ODE with one hidden layer (160 parameters)",
}
"""One line on each, for listings."""
