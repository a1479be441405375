"""The speed benchmark: this service beside a floor and other ways to build it, on stand-ins with latencies of our choice."""
