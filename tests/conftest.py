"""Gives the whole session four virtual CPU devices, which JAX reads once, at its first import; no JAX here."""

import os

_FLAG = "--xla_force_host_platform_device_count"

if _FLAG not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {_FLAG}=4".strip()
os.environ.setdefault("JAX_PLATFORMS", "cpu")
