"""Ratios measured side by side in one run: ``python -m benchmarks`` (``--quick`` for small sizes)."""
