"""Pictures of timings and sweeps, drawn with matplotlib, which is imported when one is drawn."""
