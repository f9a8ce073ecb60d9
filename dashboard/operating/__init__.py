"""The line report: what would pass, be reviewed and be rejected at other costs."""
