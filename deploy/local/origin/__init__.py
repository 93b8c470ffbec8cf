"""One address for everything: streams each path to its service; the page and the docs."""
