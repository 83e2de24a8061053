"""Measurements of h2o_magic on this machine; no part of the package."""
