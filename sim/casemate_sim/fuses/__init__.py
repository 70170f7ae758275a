"""A simulated device with fuses: driven by hand, with faults, and in campaigns of them."""
