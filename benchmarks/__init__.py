"""The cost of a bake and of a generated worker, as ratios to a baseline that is measured in the same run."""
