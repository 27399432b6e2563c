"""Run what is missing of the paper's tables and figures, here or on a cluster, and keep what came out."""
