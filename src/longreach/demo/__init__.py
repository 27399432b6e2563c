"""`longreach demo`: four methods side by side on the bundled digits, and a report."""
