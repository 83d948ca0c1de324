"""Lets ``python -m ltc_ir_cli`` do what ``ltc-ir`` does."""

from ltc_ir_cli.guard import run

run()
