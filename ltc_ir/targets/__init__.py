"""From a name to a function that can be traced: targets, their programs and the stages they pass."""
