"""Chromium on the real app. A package, so that its files may be named as those of tests/studio are."""
