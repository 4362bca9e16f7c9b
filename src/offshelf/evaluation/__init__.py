"""From features to numbers: classifiers fitted and scored, references searched and judged."""
