"""Objective, phases, and what turns a configuration into a record."""
