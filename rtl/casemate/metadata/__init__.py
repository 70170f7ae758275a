"""Integrity and freshness: leaves, tree, root, metadata cache and tree walker."""
