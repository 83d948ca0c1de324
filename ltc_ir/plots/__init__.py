"""Pictures of records, drawn with matplotlib, which nothing else imports: timings, sweeps."""
