"""Mapping onto chips: traffic against baselines, and SANA-FE's answer to our export."""
