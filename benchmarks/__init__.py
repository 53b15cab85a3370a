"""The run time of a bake and the cost of a generated worker, as ratios to a baseline that is measured in the same run."""
