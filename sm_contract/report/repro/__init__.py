"""Each broken requirement as a script that shows it again by hand: ``docker`` and ``curl``, nothing of ours."""
