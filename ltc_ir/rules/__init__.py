"""The rule language, and what rules, waivers and growth policy say of a program. Imports no JAX."""
