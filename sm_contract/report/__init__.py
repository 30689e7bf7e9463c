"""The reports: terminal, progress, JSON, JUnit. Each is made from the result model and judges nothing."""
