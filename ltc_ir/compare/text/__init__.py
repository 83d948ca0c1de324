"""Two IR texts compared by what they say: lexers, alignment and anonymous names."""
