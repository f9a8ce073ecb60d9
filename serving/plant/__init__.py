"""Several lines in one service: each with its champion and its verdict log, on one machine."""
