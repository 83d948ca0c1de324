"""Tests of `ltc_ir.records`."""
