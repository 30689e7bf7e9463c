"""Its place puts the project's root on the import path, so that tests find ``fixtures``."""
