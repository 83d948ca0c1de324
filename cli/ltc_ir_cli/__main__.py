"""Lets ``python -m ltc_ir_cli`` do what ``ltc-ir`` does."""

from ltc_ir_cli.app import run

run()
