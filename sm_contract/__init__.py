"""Judges any container image against the Amazon SageMaker container contract."""

__version__ = "0.1.0"
