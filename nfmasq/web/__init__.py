"""What metrics.listen serves: metrics, probes, a page."""
