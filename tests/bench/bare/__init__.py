"""The bare limits: the shortest honest program that does one thing without any of our promises."""
