"""Pictures of records, drawn with matplotlib, which nothing but the lab imports: timings, sweeps, experiments."""
