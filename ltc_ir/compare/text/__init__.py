"""Two IR texts compared as programs: lexers, alignment, canonical form and unified diff."""
