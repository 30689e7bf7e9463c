"""The container engine, behind a narrow protocol; the only room that imports ``docker``."""
