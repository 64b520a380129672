"""Vectors of Shamir's secret sharing over GF(256), and another way to compute them."""
