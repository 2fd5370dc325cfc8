​/metrics are up
