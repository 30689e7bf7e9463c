"""What is done to an image: lives of containers on the emulated platform, recorded and not judged."""
