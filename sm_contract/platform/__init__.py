"""The SageMaker side, emulated: what it writes, what it asks, and what it makes of the answers."""
