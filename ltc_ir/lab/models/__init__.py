"""Gathers the three continuous-time models by name, so that whatever compares them loops over one mapping."""

from ltc_ir.lab.models.common import Model
from ltc_ir.lab.models.ctrnn import MODEL as CTRNN
from ltc_ir.lab.models.ltc import MODEL as LTC
from ltc_ir.lab.models.node import MODEL as NODE

MODELS = {model.name: model for model in (LTC, CTRNN, NODE)}
"""The models by name: ``ltc``, ``ctrnn``, ``node``."""

__all__ = ["CTRNN", "LTC", "MODELS", "NODE", "Model"]
