"""Domains: tenants, their slots in hardware and what they may do."""
